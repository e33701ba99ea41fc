"""Tests of the exact profile by source line: addr2line's answers, callgrind's file, and a kernel whose lines are known."""
import argparse
import contextlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab import books, callgrind, exact, images, keeping, lines, packages
from lab import profile as profile_
from lab.errors import LabError
from lab.exact import Cost
from lab.images import Image
from lab.lines import Lines, SourceLine

PROGRAM = Path(__file__).resolve().parents[1] / "lab.py"
CASE = "setns/NEWUTS/via:nsfd"
FILE = "callgrind.out.setns.NEWUTS.via-nsfd"
RUNS = """n 0 [no symbol]
n 1 [no symbol]
n 2 [no symbol]
n 3 [no symbol]
n 0 entry
n 4 inner
n 0 [user]
s 1 20 0
c 4 1 7
c 5 2 8
c 6 0 5
b 3 ffffffff81000000 152 entry
r 3 3 0 2
r 3 1 0 1
b 4 ffffffff81000100 44 inner
r 4 2 0 4
r 4 1 3 9
s 0 3 0
c 4 1 3
s 1 20 0
c 4 1 7
c 5 2 8
c 6 0 5
r 3 3 0 2
r 3 1 0 1
r 4 2 0 4
end
"""
SAMPLES = "sample,counted,create,errno,call\n0,1,20,,\n1,1,20,,\n"


def test_addresses_are_of_the_median_executions_and_add_up() -> None:
    book = books.balance(exact.parse(RUNS), SAMPLES, "case").phases["create"]
    begin = 0xffffffff81000000
    assert book.addresses == {("entry", begin): 3, ("entry", begin + 1): 2, ("entry", begin + 6): 2,
                              ("inner", begin + 0x100): 4, ("inner", begin + 0x104): 4}
    with pytest.raises(LabError, match="inner: its addresses and its calls are -2 instructions apart: the books do not balance"):
        books.balance(exact.parse(RUNS.replace("r 4 2 0 4", "r 4 2 0 5", 1)), SAMPLES, "case")


def test_lines_of_inlined_functions_keep_their_files(tmp_path: Path) -> None:
    (tmp_path / "small.h").write_text("static inline __attribute__((always_inline)) int small(int x)\n{\n\treturn x * 7 + 1;\n}\n")
    (tmp_path / "big.c").write_text('#include "small.h"\nint big(int x);\nint big(int x)\n{\n\treturn small(x) / 3;\n}\n')
    subprocess.run(["gcc", "-g", "-O2", "-fcf-protection=none", "-shared", "-fPIC", "-nostdlib", "-o", "out", "big.c"],
                   cwd=tmp_path, check=True)
    symbols = subprocess.run(["nm", "-S", "out"], cwd=tmp_path, check=True, text=True, capture_output=True).stdout
    begin, size = (int(word, 16) for word in next(line for line in symbols.splitlines() if line.endswith(" big")).split()[:2])
    amounts = {("big", address): 2.0 for address in range(begin, begin + size)}
    found = lines.by_function(amounts, lines.source(tmp_path / "out", range(begin, begin + size), {}))["big"]
    files = {Path(place.file).name: (place.function, place.line) for place in found.amounts}
    assert files["small.h"] == ("small", 3) and "big.c" in files
    assert Path(found.opens.file).name == "big.c" and sum(found.amounts.values()) == 2 * size
    place, amount = lines.dearest({"big": found}, 1)[0]
    assert amount == max(found.amounts.values()) and found.amounts[place] == amount


def small_kernel(folder: Path, build_id: int) -> Path:
    """A file with a build ID whose 20 bytes are all the same."""
    (folder / "a.s").write_text(f'.text\nnop\n.section .notes,"a",@note\n.long 4, 20, 3\n.asciz "GNU"\n.skip 20, {build_id}\n')
    subprocess.run(["as", "-g", "a.s", "-o", "a.o"], cwd=folder, check=True)
    return folder / "a.o"


@pytest.mark.parametrize("program", [*images.UNPACK.values(), None])
def test_a_vmlinux_of_another_build_is_told_before_a_machine_is_made(tmp_path: Path, program: str | None) -> None:
    """However the kernel is compressed in its image; where it cannot be looked into, the machine says it."""
    if program and not shutil.which(program):
        pytest.skip(f"{program} is missing")
    path = small_kernel(tmp_path, 1)
    kernel = path.read_bytes()
    how = ["-c", *(["-l"] if program == "lz4" else [])]  # as scripts/Makefile.lib of the kernel has it
    packed = subprocess.run([program, *how], input=kernel, capture_output=True, check=True).stdout if program else b"?"
    payload = packed + len(kernel).to_bytes(4, "little")
    header = bytearray(2 * 512)
    header[0x1F1] = 1  # sector beyond the first
    header[0x248:0x250] = (0).to_bytes(4, "little") + len(payload).to_bytes(4, "little")
    image = Image("bzImage", tmp_path / "bzImage", "")
    image.path.write_bytes(header + payload)
    held = contextlib.ExitStack()
    assert profile_.vmlinux_of(str(path), image, held) == path
    other = small_kernel(tmp_path, 2)
    if not program:
        assert profile_.vmlinux_of(str(other), image, held) == other
        return
    with pytest.raises(LabError, match=f"of another build than the kernel, whose build ID is {'01' * 20}, and not {'02' * 20}:") as told:
        profile_.vmlinux_of(str(other), image, held)
    assert told.value.code == 2


def test_a_damaged_vmlinux_is_one_line_before_a_machine_is_made(tmp_path: Path) -> None:
    """At each place of its headers."""
    whole = small_kernel(tmp_path, 1).read_bytes()
    assert lines.read(tmp_path / "a.o") == ("01" * 20, True)
    told = 0
    headers = int.from_bytes(whole[40:48], "little")
    for at in (*range(64), *range(headers, len(whole))):
        (tmp_path / "vmlinux").write_bytes(whole[:at] + b"\xff" + whole[at + 1:])
        try:
            lines.read(tmp_path / "vmlinux")
        except LabError as error:
            assert error.code == 2 and len(str(error).splitlines()) == 1, error
            told += 1
    assert told > 20
    for size in (0, 3, 50, headers, headers + 40):
        (tmp_path / "vmlinux").write_bytes(whole[:size])
        with pytest.raises(LabError, match="not a kernel's vmlinux"):
            profile_.vmlinux_of(str(tmp_path / "vmlinux"), Image("6.1", tmp_path, ""), contextlib.ExitStack())


def test_a_package_without_the_file_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "package"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN/control").write_text("Package: dbg\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n")
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", root, tmp_path / "dbg.deb"], check=True, capture_output=True)
    (tmp_path / "cache").mkdir()
    monkeypatch.setattr(packages, "cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(packages, "Apt", lambda: SimpleNamespace(options=[]))
    monkeypatch.setattr(packages, "locked", contextlib.nullcontext)
    monkeypatch.setattr(packages, "run", lambda *words, cwd: shutil.copy(tmp_path / "dbg.deb", cwd))
    with pytest.raises(LabError, match="has no vmlinux-6.1: give --lines=VMLINUX"):
        lines.fetch(Image("6.1", tmp_path, "", "linux-image-6.1 6.1-1"))
    assert not list((tmp_path / "cache").rglob("vmlinux"))


def test_debug_information_is_not_removed_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = packages.cache() / "debug" / "6.1"
    folder.mkdir(parents=True)
    entry = keeping.Entry(folder, 1, 0, "")

    def measured(*_: object) -> None:
        assert not keeping.remove(entry) and folder.exists()
        raise LabError("read")

    monkeypatch.setattr(profile_, "measure", measured)
    monkeypatch.setattr(profile_.lines, "fetch", lambda _: folder / "vmlinux")
    for name, value in (("images", [Image("6.1", tmp_path, "")]), ):
        monkeypatch.setattr(profile_.images, name, lambda _, value=value: value)
    monkeypatch.setattr(profile_.initramfs, "base", lambda: None)
    monkeypatch.setattr(profile_.runs, "wanted", lambda *_, **__: None)
    monkeypatch.setattr(profile_.runs, "arguments", lambda *_: [])
    parser = argparse.ArgumentParser()
    profile_.add_parser(parser.add_subparsers())
    options = parser.parse_args(["profile", "--kernel=6.1", "--lines"])
    options.nsbench = []
    with pytest.raises(LabError, match="^read$"):
        profile_.profile(options)
    assert keeping.remove(entry) and not folder.exists()


def test_callgrinds_lines_are_whole_and_add_up() -> None:
    own = {("[call]",): Cost(), ("[call]", "a"): Cost(1, 4.5), ("[call]", "a", "b"): Cost(2, 7)}
    found = {"a": Lines(SourceLine("a.c", 10, "a"),
                        {SourceLine("a.c", 10, "a"): 1.5, SourceLine("a.c", 12, "a"): 1.5, SourceLine("i.h", 3, "in"): 1.5}),
             "b": Lines(SourceLine("b.c", 1, "b"), {SourceLine("b.c", 2, "b"): 7.0})}
    text = callgrind.write(own, "it", found)
    assert "fl=a.c\nfn=a\n10 2\n12 1\ncfi=b.c\ncfn=b\ncalls=2 1\n10 7\nfi=i.h\n3 1\nfe=a.c\n" in text
    assert "fl=kernel\nfn=[call]\n0 0\ncfi=a.c\ncfn=a\ncalls=1 10\n0 12\n" in text and "fl=b.c\nfn=b\n2 7\n" in text
    assert "fl=/tree/b.c\n" in callgrind.write(own, "it", found, "/tree")


def own_of(text: str) -> dict[str, int]:
    """Each function's own instructions in a file of callgrind's."""
    found: dict[str, int] = {}
    name, is_call = "", False
    for line in text.splitlines():
        if line.startswith("fn="):
            name = line.removeprefix("fn=")
        elif line.startswith("calls="):
            is_call = True
        elif name and re.fullmatch(r"\d+ \d+", line):
            if not is_call:
                found[name] = found.get(name, 0) + int(line.split()[1])
            is_call = False
    return found


def vmlinux(folder: Path, build_id: str) -> Path:
    """A file for the addresses of a kernel: each 256 bytes of its text are a line of kernel.c."""
    folder.mkdir()
    count = (24 << 20) // 256
    (folder / "kernel.c").write_text("".join(f"line {number}\n" for number in range(1, count + 1)))
    (folder / "kernel.s").write_text('.file 1 "kernel.c"\n.text\n' + "".join(f".loc 1 {n}\n.skip 256\n" for n in range(1, count + 1)) +
                                     '.section .notes,"a",@note\n.long 4, 20, 3\n.asciz "GNU"\n' +
                                     "".join(f".byte 0x{build_id[i:i + 2]}\n" for i in range(0, 40, 2)))
    subprocess.run("as -g kernel.s -o kernel.o && ld -Ttext=0xffffffff81000000 kernel.o -e 0 -o vmlinux",
                   shell=True, cwd=folder, check=True)
    return folder / "vmlinux"


def profile(kernel: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, PROGRAM, "profile", "--kernel", kernel, *words, "--", f"--case={CASE}"], text=True,
                          capture_output=True, timeout=300)


@pytest.fixture(scope="module")
def known_lines(kernel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vmlinux that passes for the kernel's."""
    folder = tmp_path_factory.mktemp("vmlinux")
    done = profile(kernel, f"--lines={vmlinux(folder / 'other', '11' * 20)}")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    told = re.search(r"of another build than the kernel, whose build ID is ([0-9a-f]{40}), and not 1{40}: give the file", done.stderr)
    assert told, done.stderr
    return vmlinux(folder / "same", told[1])


def test_lines_of_a_kernel(kernel: Path, known_lines: Path, tmp_path: Path) -> None:
    given: dict[str, list[str]] = {"plain": [], "lines": [f"--lines={known_lines}"]}
    for name, words in given.items():
        done = profile(kernel, "--out", tmp_path / name, *words)
        assert done.returncode == 0, done.stderr
    plain, known = (next((tmp_path / name).glob("*")) for name in ("plain", "lines"))
    samples = [[line.split(",", 1)[1] for line in (folder / "samples.csv").read_text().splitlines()] for folder in (plain, known)]
    assert samples[0] == samples[1]
    assert own_of((plain / FILE).read_text()) == own_of((known / FILE).read_text())
    assert len(re.findall(r"^fl=.*/kernel.c$", (known / FILE).read_text(), re.MULTILINE)) == 1
    table = re.findall(r"^\S*kernel\.c:(\d+) .* (\d+) +[\d.]+%$", done.stdout, re.MULTILINE)
    assert len(table) == 10
    if shutil.which("callgrind_annotate"):
        read = subprocess.run(["callgrind_annotate", "--auto=yes", "--context=0", known / FILE], text=True, capture_output=True, timeout=60)
        rows = re.findall(r"^ *([\d,]+) \(.*\)  line (\d+)$", read.stdout, re.MULTILINE)
        annotated = {line: int(count.replace(",", "")) for count, line in rows}
        assert read.returncode == 0 and {line: int(count) for line, count in table}.items() <= annotated.items()


def test_without_debug_information_there_are_functions_only(kernel: Path, known_lines: Path, tmp_path: Path) -> None:
    done = profile(kernel, f"--lines={kernel}")
    assert done.returncode == 2 and "not a kernel's vmlinux" in done.stderr
    done = profile(kernel, "--lines")
    assert done.returncode == 2 and "give --lines=VMLINUX" in done.stderr
    done = profile(kernel, "--lines=missing")
    assert done.returncode == 2 and "--lines=missing: no such file" in done.stderr
    subprocess.run(["strip", "--strip-debug", "-o", tmp_path / "vmlinux", known_lines], check=True)
    done = profile(kernel, f"--lines={tmp_path / 'vmlinux'}")
    assert done.returncode == 0 and f"{tmp_path / 'vmlinux'} has no debug information: functions only" in done.stderr
    assert "source line" not in done.stdout and "function " in done.stdout
