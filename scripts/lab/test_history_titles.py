"""Tests of titles of patches that name a step's functions: changelogs, where functions are defined, and what stands with a step."""
import gzip
import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from lab import changelogs, definitions
from lab.changelogs import Entry
from lab.errors import IMPOSSIBLE, OK, LabError
from lab.history import carry, interactive, page, steps, table, titles
from lab.packages import Kernel
from lab.test_history import series_of, steps_of

CHANGELOG = """linux-signed-amd64 (6.1.172+1) bookworm-security; urgency=high

  * Sign kernel from linux 6.1.172-1

  * New upstream stable update:
    https://www.kernel.org/pub/linux/kernel/v6.x/ChangeLog-6.1.171
    - utsname: copy_utsname() copies twice
      (CVE-2026-1, CVE-2026-2)
    - [arm64] percpu: of another architecture
    - [arm64,amd64] mm: percpu: a longer title that goes on in the next
      line
    https://www.kernel.org/pub/linux/kernel/v6.x/ChangeLog-6.1.172

  [ Somebody ]
  * Fix two things (Closes: #1108430):
    - pid: this one
    - net: that one
  * xen: a last one (Closes: #1, #2)

 -- Somebody <a@b>  Fri, 20 Nov 2026 00:00:00 +0100

linux (6.1.170-1) bookworm-security; urgency=high

  * New upstream release: https://kernelnewbies.org/Linux_6.1
    - one that Debian added

 -- Somebody <a@b>  Fri, 20 Nov 2026 00:00:00 +0100
"""
NEW = ("utsname: copy_utsname() copies twice", "mm: percpu: a longer title that goes on in the next line", "pid: this one",
       "net: that one", "xen: a last one")


def test_a_changelog_is_read() -> None:
    assert changelogs.entries(CHANGELOG) == [Entry("6.1.172-1", NEW, ("6.1.172",)),
                                             Entry("6.1.170-1", ("one that Debian added",), ("6.1",))]


def package(folder: Path, name: str, files: dict[str, bytes], links: dict[str, str]) -> Path:
    """A Debian package of these files, by their names below usr/share/doc."""
    root = folder / name
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN/control").write_text(f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: a\n")
    doc = root / "usr/share/doc"
    doc.mkdir(parents=True)
    for where, content in files.items():
        (doc / where).parent.mkdir(exist_ok=True)
        (doc / where).write_bytes(content)
    for where, to in links.items():
        (doc / where).symlink_to(to)
    subprocess.run(["dpkg-deb", "--build", "-Znone", root, folder / f"{name}.deb"], check=True, capture_output=True)
    return folder / f"{name}.deb"


def test_a_package_has_its_changelog_or_a_link_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = gzip.compress(CHANGELOG.encode())
    every = {"binary": package(tmp_path, "binary", {}, {"binary": "base"}),
             "base": package(tmp_path, "base", {"base/changelog.gz": text}, {}),
             "none": package(tmp_path, "none", {"none/copyright": b"a"}, {})}
    assert [changelogs.in_package(path) for path in every.values()] == ["base", CHANGELOG, None]
    asked: list[str] = []

    def download(name: str, _: Path) -> Path:
        asked.append(name)
        return every[name.partition("=")[0]]
    monkeypatch.setattr(changelogs.packages, "download", download)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for _ in range(2):
        assert changelogs.of_kernel(Kernel("binary", "6.1", "6.1.172-1", 1)) == CHANGELOG
    assert asked == ["binary=6.1.172-1", "base=6.1.172-1"]
    with pytest.raises(LabError, match="no changelog"):
        changelogs.of_kernel(Kernel("none", "6.2", "6.2-1", 1))
    (tmp_path / "none.deb").write_bytes((tmp_path / "none.deb").read_bytes()[:400])
    with pytest.raises(LabError, match="none.deb"):
        changelogs.in_package(every["none"])
    for number, broken in enumerate((b"no gzip", text[:30] + b"broken" + text[36:], text[:-9])):
        path = package(tmp_path, f"broken{number}", {"broken/changelog.gz": broken}, {})
        with pytest.raises(LabError, match=f"broken{number}.deb"):
            changelogs.in_package(path)
    kept = next((tmp_path / "cache").rglob("*_6.1.172-1.xz"))
    kept.write_bytes(kept.read_bytes()[:-9])
    with pytest.raises(LabError, match="6.1.172-1.xz.*remove it"):
        changelogs.of_kernel(Kernel("binary", "6.1", "6.1.172-1", 1))


def test_where_functions_are_defined() -> None:
    source = ("#define f(a) g(a);\nstatic int declared(int a);\nstatic inline struct a *in_one_line(int a)\n{\n\tcalled(a);\n}\n\n"
              "int\nname_alone(int a,\n\t   int b)\n{\n}\nEXPORT_SYMBOL(name_alone);\n"
              "extern int in_two_lines(int a,\n\t\t\tint b);\nstruct s {\n\tint a;\n};\n")
    assert definitions.defined_in(source, ".c") == {"in_one_line", "name_alone"}
    assert definitions.defined_in("SYM_FUNC_START(memset_orig)\nSYM_FUNC_START_LOCAL(a)\n", ".S") == {"memset_orig", "a"}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path in ("s/mm/a.c", "s/net/b.c", "s/drivers/net/loopback.c", "s/drivers/net/wifi/w.c", "s/drivers/gpu/g.c", "s/mm/a.txt"):
            info = tarfile.TarInfo(path)
            info.size = len(source)
            tar.addfile(info, io.BytesIO(source.encode()))
    out.seek(0)
    with tarfile.open(fileobj=out) as tar:
        found = definitions.of_archive(tar)
    assert found["name_alone"] == ["mm/a.c", "net/b.c", "drivers/net/loopback.c"]
    assert definitions.file_of("name_alone", found) is None and definitions.file_of("a", {"a": ["mm/a.c"]}) == "mm/a.c"
    stub = {"copy": ["include/linux/a.h", "kernel/a.c"], "inline": ["include/linux/a.h"], "both": ["lib/a.c", "lib/a.S"]}
    assert [definitions.file_of(name, stub) for name in (*stub, "none")] == ["kernel/a.c", "include/linux/a.h", None, None]
    assert [definitions.nearest(one, ["6.12", "7.2", "6.1"]) for one in ("6.1", "6.11", "6.16", "7.3")] == ["6.1", "6.12", "7.2", "7.2"]
    assert definitions.nearest("6.1", []) is None


@pytest.mark.parametrize(("title", "is_named"), [
    ("mm/percpu: a", True), ("percpu: a", True), ("mm: percpu: a", True), ("Revert \"mm/percpu: a\"", False), ("mm: a", False),
    ("percpu-km: a", False), ("Percpu: a", True), ("x86: percpu: a", False), ("arm: the percpu: a", False), ("a percpu thing", False),
    ("x86: mm: percpu: a", True), ("x86: mm/percpu: a", True),
])
def test_a_title_names_a_file(title: str, is_named: bool) -> None:
    assert titles.names_file(title, "mm/percpu.c") == is_named


@pytest.mark.parametrize(("title", "file", "is_named"), [
    ("regulator: core: a", "kernel/sched/core.c", False), ("sched: core: a", "kernel/sched/core.c", True),
    ("sched/core: a", "kernel/sched/core.c", True), ("ext4: namei: a", "fs/namei.c", False), ("fs: namei: a", "fs/namei.c", True),
    ("net: tcp-input: a", "net/ipv4/tcp_input.c", True), ("net/ipv4: tcp_input: a", "net/ipv4/tcp_input.c", True),
])
def test_a_name_alone_is_of_many_files(title: str, file: str, is_named: bool) -> None:
    assert titles.names_file(title, file) == is_named


def test_a_function_that_is_a_word_stands_before_a_bracket() -> None:
    every = ["schedule the work later", "sched: schedule() sleeps", "reschedule(): a"]
    assert titles.naming(every, "schedule", None) == [every[1]]


def test_titles_that_name_a_function_come_first() -> None:
    every = ["pid: one", "fix alloc_pid() here", "fix alloc_pids()", "fix my_alloc_pid", "sched: alloc_pid, and more"]
    assert titles.naming(every, "alloc_pid", "kernel/pid.c") == [every[1], every[4], every[0]]
    assert titles.naming(every, "alloc_pid", None) == [every[1], every[4]]


def test_what_both_have_is_not_between() -> None:
    older = [Entry("6.1.2-1", ("a", "b"), ()), Entry("6.0-1", ("z",), ())]
    newer = [Entry("6.2.1-1", ("c", "a"), ("6.2.1",)), Entry("6.2-1", ("d", "c"), ("6.2",)), Entry("6.0-1", ("z",), ("6.0",))]
    assert titles.between(older, newer) == titles.Between(("c", "d"), ("6.2", "6.2.1"))
    with pytest.raises(LabError, match="no version in common"):
        titles.between(older[:1], newer[:2])


class Fake(titles.Archive):
    """One whose changelogs are those of a few kernels."""

    def __init__(self, every: dict[str, list[Entry]]) -> None:
        self.read = every
        self.kernels = [Kernel("p", version, version, 1) for version in every]
        self.defined = {"6.1": {"alloc_pid": ["kernel/pid.c"]}}


def test_a_changelog_of_a_later_version_has_the_earlier_ones() -> None:
    line = [Entry("6.1.3-1", (), ()), Entry("6.1.2-1", (), ()), Entry("6.1.1-1", (), ())]
    archive = Fake({"6.1.1-1": line[2:], "6.1.2-1~bpo12+1": [], "6.1.2-1": line[1:], "6.1.3-1": line})
    assert [one.version for one in archive.asked("6.1.1-1")] == ["6.1.3-1", "6.1.1-1"]
    assert archive.of_version("6.1.1-1") == line[2:] and archive.of_version("6.1.2-1") == line[1:]
    assert archive.of_version("6.1.2-1~bpo12+1") == line[1:]  # its own cannot be had: what it was made from
    archive.read["6.1.3-1"] = []
    assert archive.of_version("6.1.1-1") == line[2:]
    assert [one.version for one in archive.asked("6.0.9-1")] == ["6.1.3-1"]  # is not in the archive any more
    with pytest.raises(LabError, match="no changelog"):
        archive.of_version("6.0.9-1")


def known_of(found: list[steps.Step]) -> dict[tuple[str, str, str, str], dict[str, tuple[float, float]]]:
    return {one.name: {"copy_utsname": (10.0, 210.0), "alloc_pid": (0.0, 9.0), "kfree": (0.0, 1.0)} for one in found}


def test_titles_stand_with_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = changelogs.entries(CHANGELOG)
    monkeypatch.setattr(titles, "Archive", lambda: Fake({"6.1.170-1": every[1:], "6.1.171-1": [Entry("6.1.171-1", (), ()), *every]}))
    rows = series_of([100, 300])
    found = steps_of(rows)
    explained = known_of(found)
    entries = steps.entries(found, explained)
    known: titles.Known = {}
    assert titles.update(known, entries, explained) == OK
    assert known == {"6.1.170-1 → 6.1.171-1": {"titles_between": len(NEW), "unlisted": ["6.1.172"], "functions": {
        "copy_utsname": {"file": None, "titles": [NEW[0]]}, "alloc_pid": {"file": "kernel/pid.c", "titles": [NEW[2]]},
        "kfree": {"file": None, "titles": []}}}}
    text = page.text(rows, entries, explained, None, (), known)
    assert ("- 6.1.170-1 → 6.1.171-1: 2 of 5 titles name one of copy_utsname, alloc_pid, kfree, or the file of alloc_pid "
            "(of copy_utsname, kfree the file is not known: only the name was looked for); of upstream 6.1.172 it lists no patch\n"
            f"  - `{NEW[0]}` (copy_utsname)\n  - `{NEW[2]}` (alloc_pid)\n") in text
    assert "Titles of patches" not in page.text(rows, entries, explained, None)
    said = titles.added(steps.json_of(entries, explained), entries, known, explained)
    assert said[0]["titles"] == known["6.1.170-1 → 6.1.171-1"]
    assert "titles" not in titles.added(steps.json_of(entries, explained), entries, {}, explained)[0]
    carry.write_json(tmp_path / titles.FILE, known)
    assert titles.read(tmp_path / titles.FILE) == known and titles.read(tmp_path / "none") == {}
    assert titles.kept(known, entries, explained) == known and titles.kept(known, [], explained) == {}
    edge = entries[0].edge
    functions: dict[str, object] = {"gone": {}, **titles.of_edge(known, edge)}
    more: titles.Known = {titles.name_of(edge): {**known[titles.name_of(edge)], "functions": functions}}
    assert titles.kept(more, entries, explained) == known
    table.write(tmp_path / table.FILE, rows)
    carry.write_json(tmp_path / interactive.STEPS, said)
    assert interactive.payload(tmp_path)["steps"] == said
    monkeypatch.setattr(titles, "Archive", None)  # all is known: nothing is looked for
    assert titles.update(known, entries, explained) == OK


def test_of_many_titles_the_page_has_some_of_each_function() -> None:
    found = steps_of(series_of([100, 300]))
    every = [f"copy {number}" for number in range(5)]
    known: titles.Known = {titles.name_of(found[0].edge): {"titles_between": 9, "unlisted": [], "functions": {
        "copy_utsname": {"file": None, "titles": every}, "alloc_pid": {"file": None, "titles": [every[4]]}}}}
    said = page.titles_of(found[0].edge, ["copy_utsname", "alloc_pid"], known)
    assert said[1:] == ["  - `copy 0` (copy_utsname)", "  - `copy 1` (copy_utsname)", "  - `copy 4` (copy_utsname, alloc_pid)",
                        "  - 2 others are in titles.json"] and "5 of 9 titles name" in said[0]


def test_what_cannot_be_had_is_said_and_tried_again(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(titles, "Archive", lambda: Fake({"6.1.171-1": []}))
    found = steps_of(series_of([100, 300]))
    known: titles.Known = {}
    assert titles.update(known, steps.entries(found, known_of(found)), known_of(found)) == IMPOSSIBLE
    assert known == {} and "no titles: no changelog in the archive has 6.1.170-1" in capsys.readouterr().err
    assert titles.update(known, steps.entries(found, {}), {}) == OK  # no function is known


def test_without_the_source_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    every = changelogs.entries(CHANGELOG)
    archive = Fake({"6.1.170-1": every[1:], "6.1.171-1": [Entry("6.1.171-1", (), ()), *every]})
    archive.defined = {}
    monkeypatch.setattr(titles, "Archive", lambda: archive)

    def none(_: str) -> dict[str, list[str]]:
        raise LabError("no source", IMPOSSIBLE)
    monkeypatch.setattr(definitions, "of_series", none)
    found = steps_of(series_of([100, 300]))
    known: titles.Known = {}
    assert titles.update(known, steps.entries(found, known_of(found)), known_of(found)) == IMPOSSIBLE
    assert known == {} and "no titles: no source" in capsys.readouterr().err


@pytest.mark.parametrize(("of", "said"), [
    ({"f": "a.c"}, "f, or the file of f"), ({"f": "a.c", "g": "b.c"}, "one of f, g, or the file of one of them"),
    ({"f": None}, "f (of f the file is not known: only the name was looked for)"),
])
def test_what_a_title_was_looked_for_by_is_said(of: dict[str, str | None], said: str) -> None:
    assert page.one_of({name: {"file": file} for name, file in of.items()}) == said


def test_a_title_is_code_whatever_is_in_it() -> None:
    assert [page.code_span(text) for text in ("a", "a `b` c", "``")] == ["`a`", "`` a `b` c ``", "``` `` ```"]


def test_a_file_that_is_another_is_refused(tmp_path: Path) -> None:
    for text in ("[]", '{"a": {}}', "{"):
        (tmp_path / titles.FILE).write_text(text)
        with pytest.raises(LabError, match=titles.FILE):
            titles.read(tmp_path / titles.FILE)
