"""The page and lab.py compare on recorded runs of which anything may be dropped, empty or garbled: a page or a verdict, or one
line that names the file; never a traceback, and never the exit code of another answer."""
import json
import lzma
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import thorough
from analysis import stacks
from analysis.damage import ANY_FILE, Change, broken, lab, of_json, put, rename, text
from analysis.fixtures import result_row, write_run, write_table
from analysis.kinds import ALL, KINDS
from lab import tables
from lab.page_sections import SECTIONS

NEW = "7.3.4"
FILES = ("run.json", "results.csv", "churned/run.json", "churned/results.csv", "probe/run.json", "probe/probe.csv", "probe/memory.csv",
         f"exact/{stacks.FILE}.xz")
SETS = ("none", *KINDS, ALL, "NEWIPC-NEWPID", "NEWNET-NEWUTS")
GARBAGE = ("", "²", "-5", "0", "9" * 5000, "/")
ODD: tuple[object, ...] = (..., None, {}, "", "linux 6.²", -1, {"9" * 5000: {}})


def cases() -> Iterator[tuple[str, str, float]]:
    """A case, a phase and about what it takes."""
    for number, kinds in enumerate(SETS, 1):
        for phase in ("create", "total", "drain"):
            yield f"clone/{kinds}/stack:1M", phase, 10_000 * (9 if kinds == "NEWNET" else 1) + 100 * number
        yield f"unshare/{kinds}", "create", 1000 * number
        for via in ("nsfd", "pidfd") if kinds in KINDS else ():
            yield f"setns/{kinds}/via:{via}", "switch", 900 + (via == "pidfd")
    for phase in ("mount", "unmount", "total"):
        yield "proc_remount/NEWNS-NEWPID/stack:1M", phase, 7000


def run(folder: Path, version: str, factor: float, state: str) -> Path:
    """A run as lab.py atlas records it."""
    rows = []
    for case, phase, cost in cases():
        median, added = cost * factor, cost * factor - 9000
        rows.append(result_row(case, phase, median, kernel=version, clock="instructions", unit="instructions", state=state,
                               resolution=9, delta=added, delta_low=added - 8, delta_high=added + 8, delta_resolution=8))
    return write_run(folder, rows, state=state, options={"samples": 10}, lab={
        "kernel_package": f"linux-image-{version} {version}-1", "kernel_sha256": "0" * 64, "command_line": "quiet",
        "arguments": ["--samples=10"], "state": state, "on_all_machines": "^clone", "together": None,
        "machines": {"1": {"variation": "as it is"}, "2": {"variation": "dummy=1"}}})


def kernel(folder: Path, factor: float) -> None:
    """A run with the runs that belong to it."""
    run(folder, folder.name, factor, "fresh")
    run(folder / "churned", folder.name, 3 * factor, "churned")
    (folder / "probe").mkdir()
    (folder / "exact").mkdir()
    ids = [f"clone/{kinds}/stack:1M" for kinds in SETS]
    probed = [{"case": case, "error": None, "unprobed_median": 10_000 + number,
               "adds_to_none": [{"function": name, "self": own * factor} for name, own in (("copy_a", 700 + number), ("b", 90))]}
              for number, case in enumerate(ids)]
    (folder / "probe" / "run.json").write_text(json.dumps({"probe": {"cases": probed}}))
    write_table(folder / "probe" / "probe.csv", [{"case": case, "function": f"f{number}", "path": "async", "self": 100 * factor}
                                                 for number, case in enumerate(ids)])
    write_table(folder / "probe" / "memory.csv", [{"case": case, "allocator": name, "bytes_per_op": 1000 * number}
                                                  for number, case in enumerate(ids) for name in ("slab", "kmalloc", "percpu")])
    called = ("[call];sys_clone", "[call];sys_clone;copy_a", "[call];sys_clone;ops_init;a_init", "[interrupts];tick")
    lines = [f"{case};create;{functions} {round((400 + 300 * number) * factor)}\n"
             for number, case in enumerate(ids) for functions in called]
    (folder / "exact" / f"{stacks.FILE}.xz").write_bytes(lzma.compress("".join(lines).encode(), preset=0))


@pytest.fixture(scope="module", name="good")
def fixture_good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded") / "results"
    folder.mkdir()
    for name, factor in (("6.1.192", 2.5), (NEW, 1)):
        kernel(folder / name, factor)
    return folder


def members(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places in a run.json, of a list that of its first element."""
    if at:
        yield at
    for name in value if isinstance(value, dict) else range(len(value))[:1] if isinstance(value, list) else ():
        yield from members(value[name], (*at, name))


def prefixed(line: bytes) -> Change:
    return lambda data: line + data


def compressed(change: Change) -> Change:
    return lambda data: lzma.compress(change(lzma.decompress(data)), preset=0)


def changes(folder: Path, file: str) -> Iterator[tuple[str, Change | None]]:
    """Each column and member dropped, empty and garbled; each case and phase missing, or alone."""
    yield from ANY_FILE.items()
    path = folder / NEW / file
    if file.startswith("churned"):  # read as the kernel's own are
        return
    if file.endswith(".json"):
        for at in members(json.loads(path.read_bytes())):
            yield from ((f"{at} {str(value)[:9]}", of_json(*at, value=value)) for value in ODD)
    elif file.endswith(".csv"):
        wanted = {"results.csv": tables.COMPLETE, "probe.csv": tables.PROBE, "memory.csv": tables.MEMORY}[path.name]
        lines = path.read_bytes().splitlines(keepends=True)
        for name in wanted:
            yield f"no {name}", rename(name)
            yield from ((f"{name} {value[:9]}", put(name, value)) for value in GARBAGE)
        for case in dict.fromkeys(line.split(b"/")[1] for line in lines[1:]):
            mine = [line for line in lines[1:] if line.split(b"/")[1] == case]
            yield f"only {case!r}", text(b"".join([lines[0], *mine]))
            yield f"without {case!r}", text(b"".join(line for line in lines if line not in mine))
        yield "no rows", text(lines[0])
    else:
        for line in ("", "a", "clone/none/stack:1M 5", "clone/none/stack:1M;create 5", "clone/none/stack:1M;create;[call];a -5",
                     "clone/none/stack:1M;create;[call];a ²", "/;create;[call];a 5", f"clone/none/stack:1M;create;{'a;' * 3000}b 5"):
            yield line[:40], compressed(prefixed(f"{line}\n".encode()))
            yield f"only {line[:40]}", compressed(text(f"{line}\n"))


@pytest.mark.parametrize("file", FILES)
def test_whatever_is_wrong_with_a_recorded_run_is_one_line(good: Path, file: str, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    shutil.copytree(good, folder)
    path = folder / NEW / file
    whole = path.read_bytes()
    compares = file in ("run.json", "results.csv")
    refused = 0
    for number, (what, change) in enumerate(changes(good, file)):
        if number >= len(ANY_FILE) and number % thorough.of(4, 1):
            continue
        path.rmdir() if path.is_dir() else path.unlink()
        path.mkdir() if change is None else path.write_bytes(change(whole))
        code, out, err = lab("page", folder)
        assert (code == 2 and not out and str(path.parent) in err and err.count("\n") == 1) or (code, err) == (0, ""), (what, code, err)
        assert "nan" not in out, what
        refused += code == 2
        if compares:
            code, _, err = lab("compare", folder / "6.1.192", folder / NEW)
            last = err.splitlines()[-1] if err else ""
            assert code in (0, 1) or (code in (125, 129) and last.startswith("lab: ")), (what, code, err)
            assert "Traceback" not in err, (what, err)
    assert refused >= len(ANY_FILE) - 3


def test_the_whole_run_has_every_section(good: Path) -> None:
    code, out, err = lab("page", good)
    assert (code, err) == (0, "")
    assert [name for name in SECTIONS if f"--section={name}`" not in out] == []


@pytest.mark.parametrize("file", FILES[:-1])
def test_a_file_that_is_missing_is_2(good: Path, file: str, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    shutil.copytree(good, folder)
    (folder / NEW / file).unlink()
    code, _, err = lab("page", folder)
    if file == "run.json":  # then it is no run's folder
        assert (code, err) == (0, "")
    else:
        assert (code, err.count("\n")) == (2, 1)
        assert err.endswith(f"{(folder / NEW / file).parent}: no {Path(file).name} in it: a result folder of the lab is needed\n")


def rows(**changed: str) -> Change:
    """results.csv with these values in all rows; what a figure varies by is 0."""
    def change(data: bytes) -> bytes:
        names, *lines = [line.split(",") for line in data.decode().splitlines()]
        for line in lines:
            for name, value in changed.items():
                line[names.index(name)] = value
        return "\n".join([*(",".join(line) for line in [names, *lines]), ""]).encode()
    return change


NOTHING = dict.fromkeys(("resolution", "delta_resolution"), "0")


@pytest.mark.parametrize(("file", "change", "says"), [
    ("results.csv", put("ci_low", ""), "/results.csv is not whole, line 2: of ci_low and ci_high one is empty"),
    ("results.csv", put("delta_high", "", 3), "/results.csv is not whole, line 4: of delta_low and delta_high one is empty"),
    ("results.csv", put("delta_high", "-1e9", 3), "line 4: delta_low is above delta_high"),
    ("results.csv", put("resolution", "-1"), "line 2: resolution is below 0"),
    ("results.csv", put("status", "fine"), "line 2: unknown status 'fine'"),
    ("results.csv", lambda data: data + data.splitlines(keepends=True)[1], "clone/none/stack:1M create stands there twice"),
    ("run.json", of_json("lab", "kernel_package", value="linux 6.²"), r"/run.json is of no run of the lab: lab: kernel_package is"),
    ("run.json", of_json("lab", "kernel_package", value="linux"), "lab: kernel_package is 'linux', which nsbench does not write"),
    ("run.json", of_json("lab", "machines", value=None), "/run.json: lab: machines has none"),
    ("run.json", of_json("lab", "machines", value={"1": {}}), "variation is missing"),
    ("run.json", of_json("lab", "machines", value={"9" * 5000: {"variation": ""}}), "lab: machines: '999"),
    ("run.json", of_json("options", "samples", value=...), "/run.json is of no run of the lab: options: samples is missing"),
    ("run.json", of_json("options", "samples", value=None), "options: samples is None, not a number"),
    ("run.json", of_json("kernel", value="6.1\n"), "kernel: '6.1\\n' is no name of a kernel for a page"),
    ("run.json", of_json("kernel", value="6.1 b"), "kernel: '6.1 b' is no name of a kernel for a page"),
    ("probe/run.json", of_json("probe", "cases", 0, "case", value="clone/"), "case is 'clone/', which nsbench does not write"),
    (f"exact/{stacks.FILE}.xz", compressed(text("clone/none/stack:1M;create 5\n")), "has a stack of create without a function"),
    (f"exact/{stacks.FILE}.xz", compressed(text("clone/none/stack:1M;a ²\n")), ".xz is not whole, line 1: not a folded stack"),
    (f"exact/{stacks.FILE}.xz", compressed(text(f"clone/none/stack:1M;{'a;' * 3000}b 5\n")), "line 1: a stack of 3001 functions"),
])
def test_the_line_or_the_member_is_named(good: Path, file: str, change: Change, says: str, tmp_path: Path) -> None:
    folder = broken(good, tmp_path / "results", f"{NEW}/{file}", change)
    code, out, err = lab("page", folder)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert str(folder / NEW / file) in err and says in err


@pytest.mark.parametrize(("file", "change"), [
    ("results.csv", lambda data: b"".join(line for line in data.splitlines(keepends=True) if b"clone/none" not in line)),
    ("results.csv", rows(median="0", ci_low="0", ci_high="0", **NOTHING)),
    ("results.csv", rows(median="-1", ci_low="-1", ci_high="-1", **NOTHING)),
    ("results.csv", rows(delta="0", delta_low="0", delta_high="0", **NOTHING)),
    ("probe/run.json", lambda data: data.replace(b'"self": ', b'"self": 0, "was": ')),
    ("probe/run.json", of_json("probe", "cases", value=[])), ("probe/run.json", of_json("lab", value=[])),
    ("probe/memory.csv", rows(bytes_per_op="0")), ("probe/memory.csv", rows(case="clone/NEWUTS/stack:1M")),
    (f"exact/{stacks.FILE}.xz", compressed(lambda data: data.replace(b"clone/none", b"unshare/none"))),
])
def test_figures_that_nothing_can_be_divided_by_make_a_page(good: Path, file: str, change: Change, tmp_path: Path) -> None:
    for name in ("6.1.192", NEW):
        folder = broken(good, tmp_path / name, f"{name}/{file}", change)
        code, out, err = lab("page", folder)
        assert (code, err) == (0, "") and "nan" not in out and "inf" not in out


def test_a_page_that_is_no_text_is_2(good: Path, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    shutil.copytree(good, folder)
    (folder / "README.md").write_bytes(b"# Results\n\xff\n")
    for words in ((), ("--check",)):
        assert lab("page", folder, *words) == (2, "", f"lab: {folder}/README.md, line 2: not a text file\n")
    (folder / "README.md").write_text("# Results\n")
    assert lab("page", folder)[::2] == (2, f"lab: {folder}/README.md has lost the marks between which the generated part stands\n")


@pytest.mark.parametrize(("change", "says"), [
    (of_json("lab", "state", value=...), "lab: state is missing"),
    (of_json("lab", "machines", value={"1": {}, "9999": {}}), "lab: machines are not some that follow each other, of 1 to 20"),
    (of_json("lab", "machines", value={"9" * 5000: {}}), "lab: machines: '999"),
    (of_json("lab", "machines", value={"²": {}}), "lab: machines: '\\xb2' is no machine's number"),
    (of_json("lab", "on_all_machines", value="("), "lab: on_all_machines is '(', no regular expression"),
])
def test_a_kernel_is_not_held_against_a_run_that_does_not_say_how_it_was_measured(
        good: Path, change: Change, says: str, tmp_path: Path) -> None:
    folder = broken(good, tmp_path / "results", f"{NEW}/run.json", change) / NEW
    for words in ((folder, "6.1"), ("6.1", folder)):
        code, out, err = lab("compare", *words)
        assert (code, out, err.count("\n")) == (125, "", 1)
        assert f"{folder}/run.json is of no run of the lab: " in err and says in err
