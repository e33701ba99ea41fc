"""Tests of a history's pure parts: versions and their order, tables, jobs, steps."""
import lzma
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from analysis.script import Unreadable
from lab import books, guest
from lab.errors import LabError
from lab.exact import Cost
from lab.explain import thousands
from lab.history import carry, explained, interactive, job, page, plan, record, recorded_stacks, steps, table, titles
from lab.history.plan import Job, Plan, jobs_of
from lab.history.table import Row
from lab.history.versions import Kind, Member, compiler_of, edges, lines, ordered, way


def kernel(version: str, compiler: str = "gcc-12") -> Member:
    return Member(f"{version}-cloud-amd64", version, compiler)


def row(member: Member, value: float, case: str = "clone/NEWUTS/stack:1M", phase: str = "create", resolution: float = 2, plan: str = "p",
        status: str = "ok") -> Row:
    return Row(member.name, member.version, member.order, "0" * 64, member.compiler, plan, case, phase, status, "", f"{value + 1000:g}",
               f"{resolution:g}", "" if "/none" in case else f"{value:g}", "" if "/none" in case else f"{resolution:g}")


@pytest.mark.parametrize(("version", "upstream", "series"), [
    ("5.10.218-1", (5, 10, 218), "5.10"), ("6.1.172-1~deb11u1", (6, 1, 172), "6.1"), ("6.12.43-1~bpo12+1", (6, 12, 43), "6.12"),
    ("7.2.13-1", (7, 2, 13), "7.2"), ("", None, ""), ("mine", None, ""),
])
def test_a_version_is_read(version: str, upstream: tuple[int, int, int] | None, series: str) -> None:
    assert (kernel(version).upstream, kernel(version).series) == (upstream, series)


def test_versions_are_ordered_by_number_and_a_rebuild_comes_before_its_source() -> None:
    versions = ["5.10.218-1", "6.1.172-1~deb11u1", "6.1.172-1", "6.1.192-1", "6.1.192-2", "6.12.9-1", "6.12.43-1~bpo12+1", "6.12.90-1",
                "7.0.4-1"]
    assert [one.version for one in ordered(kernel(version) for version in reversed(versions))] == versions


def test_files_stay_in_the_order_given() -> None:
    files = [Member("b", order=1), Member("a", order=2), Member("c", order=3)]
    assert [one.name for one in ordered(reversed(files))] == ["b", "a", "c"]
    assert [(edge.base.name, edge.new.name, edge.kind) for edge in edges(files)] == [("b", "a", Kind.update), ("a", "c", Kind.update)]


@pytest.mark.parametrize(("banner", "compiler"), [
    ("Linux version 6.1.0 (a@b) (gcc-12 (Debian 12.2.0-14) 12.2.0, GNU ld)", "gcc-12"),
    ("Linux version 7.3.4 (x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0)", "gcc-14"),
    ("Linux version 6.12 (clang version 19.1.7)", "clang-19"), ("Linux version 6.12", ""),
])
def test_a_banner_names_the_compiler(banner: str, compiler: str) -> None:
    assert compiler_of(banner) == compiler


ARCHIVE = [kernel("5.10.218-1", "gcc-10"), kernel("5.10.223-1", "gcc-10"), kernel("6.1.170-3"), kernel("6.1.172-1"),
           kernel("6.1.172-1~deb11u1", "gcc-10"), kernel("6.12.43-1~bpo12+1"), kernel("6.12.90-1~bpo12+1"), kernel("6.12.90-1", "gcc-14"),
           kernel("6.12.94-1", "gcc-14"), kernel("6.16.3-1~bpo13+1", "gcc-14")]


def test_edges_hold_alike_kernels_together() -> None:
    found = {(edge.base.version, edge.new.version): edge.kind for edge in edges(ARCHIVE)}
    assert found == {
        ("5.10.218-1", "5.10.223-1"): Kind.update, ("6.1.170-3", "6.1.172-1"): Kind.update,
        ("6.1.172-1", "6.1.172-1~deb11u1"): Kind.compiler, ("5.10.218-1", "6.1.172-1~deb11u1"): Kind.series,
        ("6.1.170-3", "6.12.43-1~bpo12+1"): Kind.series, ("6.12.43-1~bpo12+1", "6.12.90-1~bpo12+1"): Kind.update,
        ("6.12.90-1~bpo12+1", "6.12.90-1"): Kind.compiler, ("6.12.90-1", "6.12.94-1"): Kind.update,
        ("6.12.90-1", "6.16.3-1~bpo13+1"): Kind.series,
    }
    assert len(found) == len(ARCHIVE) - 1  # a tree
    assert len(lines(ARCHIVE)) == 6


ARCHIVE_NAMES = [(one.name, one.version) for one in ARCHIVE]


def test_between_any_two_kernels_is_a_way() -> None:
    found = [one.version for one in way(ARCHIVE, ARCHIVE[3], ARCHIVE[8])]
    assert found == ["6.1.172-1", "6.1.170-3", "6.12.43-1~bpo12+1", "6.12.90-1~bpo12+1", "6.12.90-1", "6.12.94-1"]


def test_a_table_has_the_same_bytes_in_whatever_order_it_came(tmp_path: Path) -> None:
    rows = [row(one, value) for value, one in enumerate(ARCHIVE)]
    table.write(tmp_path / "a.csv.xz", rows)
    table.write(tmp_path / "b.csv.xz", reversed(rows))
    assert (tmp_path / "a.csv.xz").read_bytes() == (tmp_path / "b.csv.xz").read_bytes()
    assert sorted(table.read(tmp_path / "a.csv.xz"), key=str) == sorted(rows, key=str)
    assert table.read(tmp_path / "none.csv.xz") == []
    (tmp_path / "a.csv.xz").write_bytes((tmp_path / "a.csv.xz").read_bytes()[:-20])
    with pytest.raises(LabError, match="cut off"):
        table.read(tmp_path / "a.csv.xz")


def test_merging_refuses_two_results_that_differ() -> None:
    new = row(ARCHIVE[0], 2)
    assert table.merged([], {"a": [new], "b": [new]}).rows == [new]
    assert table.merged([new], {"a": [row(ARCHIVE[0], 3, phase="exit")]}).rows == [new, row(ARCHIVE[0], 3, phase="exit")]
    with pytest.raises(LabError, match="two results differ: median 1002 and 1005, delta 2 and 5.*: a or b"):
        table.merged([], {"a": [new], "b": [row(ARCHIVE[0], 5)]})
    with pytest.raises(LabError, match="the history and a differ: median 1005 and 1002.*--replace"):
        table.merged([row(ARCHIVE[0], 5)], {"a": [new]})
    assert table.merged([row(ARCHIVE[0], 5)], {"a": [new]}, replaces=True).rows == [new]
    with pytest.raises(LabError, match="two kernels of that name.*gcc-10 and 000000000000 by gcc-14"):
        table.merged([new], {"a": [replace(row(ARCHIVE[0], 5, phase="exit"), compiler="gcc-14")]})


def test_another_plan_takes_the_place_of_a_kernel_s_rows_when_it_has_all_cases() -> None:
    old = [row(ARCHIVE[0], 1, plan="old"), row(ARCHIVE[0], 1, "clone/NEWPID/stack:1M", plan="old")]
    other = row(ARCHIVE[1], 1, plan="old")
    first, second = row(ARCHIVE[0], 2), row(ARCHIVE[0], 2, "clone/NEWPID/stack:1M")
    some = table.merged([*old, other], {"a": [first]})
    assert (some.rows, some.held_back) == ([*old, other], [ARCHIVE_NAMES[0]])
    assert table.merged([*old, other], {"a": [first], "b": [second]}) == table.Merged([other, first, second], [])
    assert table.merged([*old, other], {"a": [first]}, replaces=True).rows == [other, first]


def test_a_plan_of_fewer_cases_is_refused() -> None:
    old = [row(ARCHIVE[0], 1, plan="old"), row(ARCHIVE[0], 1, "clone/NEWPID/stack:1M", plan="old")]
    table.refuse_another_plan(old, ARCHIVE_NAMES, "p", [one.case for one in old])
    table.refuse_another_plan(old, ARCHIVE_NAMES, "old", [old[0].case])
    table.refuse_another_plan(old, ARCHIVE_NAMES[1:], "p", [old[0].case])
    with pytest.raises(LabError, match="another --out, or --replace"):
        table.refuse_another_plan(old, ARCHIVE_NAMES, "p", [old[0].case])


def test_files_are_in_the_order_of_the_newest_list() -> None:
    rows = [row(Member(name, order=number), 1) for number, name in enumerate("abc", 1)]
    assert [(one.kernel, one.order) for one in table.in_order(rows, ["c", "b"])] == [("a", 1), ("b", 3), ("c", 2)]
    assert table.in_order([row(ARCHIVE[0], 1)], ["a"]) == [row(ARCHIVE[0], 1)]
    assert table.in_order(rows, []) == rows


def test_what_is_no_file_is_refused() -> None:
    with pytest.raises(LabError, match="'6.1' is no file"):
        record.of_files(["6.1"])


def test_a_result_that_is_another_job_s_counts_as_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    member, case = ARCHIVE[0], "clone/NEWUTS/stack:1M"
    one = Job(member.version, member.name, 0, (case,))

    def given(**more: object) -> tuple[int, str]:
        content: dict[str, object] = {
            "plan": "p", "kernel": "0" * 64, "rows": [asdict(row(member, 1)), asdict(row(member, 1, "clone/none/stack:1M"))]}
        (tmp_path / "k.json").write_bytes(job.sealed({**content, **more}))
        found, missing = carry.collected(tmp_path, {one: "k"}, "p")
        assert bool(found) == (missing == []) == (tmp_path / "k.json").exists()
        return len(found), capsys.readouterr().err
    assert given() == (1, "")
    wrong: list[tuple[str, object, str]] = [
        ("plan", "q", "of plan q"), ("kernel", "1", "is of 5.10.218"), ("rows", [asdict(row(ARCHIVE[1], 1))], "5.10.223"),
        ("rows", [], "its cases"), ("rows", [asdict(row(member, 1, "clone/NEWPID/stack:1M"))], "its cases")]
    for name, what, says in wrong:
        count, said = given(**{name: what})
        assert count == 0 and says in said


def test_jobs_are_what_is_not_there_yet() -> None:
    whole = Job("6.1.170-3", "6.1.0-47-cloud-amd64", 0, ("a/b", "a/c", "a/d"))
    done = [row(ARCHIVE[0], 1, case="a/c"), row(ARCHIVE[0], 1, case="a/d", plan="old")]
    assert [one.cases for one in jobs_of(whole, done, "p", 0)] == [("a/b", "a/d")]
    assert [one.cases for one in jobs_of(whole, done, "p", 1)] == [("a/b",), ("a/d",)]
    assert jobs_of(whole, [row(ARCHIVE[0], 1, case=case) for case in whole.cases], "p", 0) == []
    assert len({one.key("p") for one in (whole, replace(whole, profile=True), replace(whole, cases=("a/b",)))} | {whole.key("q")}) == 4


def test_a_job_is_one_command_line() -> None:
    words = plan.command(Job("/a b/bzImage", "bzImage-1", 2, ("clone/none/stack:1M",)),
                         Plan((), ("--samples=3",), guest.Machine(append="a b"), range(1, 4)), "p", Path("/out it/x.json"))
    assert "'/a b/bzImage'" in words and "'--append=a b'" in words and "'--out=/out it/x.json'" in words and "\n" not in words
    assert words.endswith("--case=clone/none/stack:1M -- --samples=3")


def test_the_newest_of_each_series_come_first() -> None:
    jobs = [Job(version, version, 0, ()) for version in ("5.10.1-1", "5.10.2-1", "6.1.1-1", "6.12.1-1", "6.12.2-1", "6.12.3-1")]
    assert [one.kernel for one in record.newest_first(jobs)] == ["5.10.2-1", "6.1.1-1", "6.12.3-1", "5.10.1-1", "6.12.2-1", "6.12.1-1"]


def series_of(values: list[float], **more: object) -> list[Row]:
    return [row(kernel(f"6.1.{at}-1"), value, **more) for at, value in enumerate(values, 170)]  # type: ignore[arg-type]


def steps_of(rows: list[Row]) -> list[steps.Step]:
    return steps.compared(rows).steps


def test_a_step_exceeds_both_resolutions() -> None:
    found = steps_of(series_of([100, 104, 99, 300, 300]))
    assert [(one.edge.base.short, one.edge.new.short, one.size) for one in found] == [("6.1.171", "6.1.172", -5),
                                                                                      ("6.1.172", "6.1.173", 201)]


def test_what_failed_or_was_measured_otherwise_is_no_step() -> None:
    assert steps_of(series_of([100])[:1] + series_of([0, 900], status="failed")[1:]) == []
    found = steps.compared(series_of([100])[:1] + series_of([0, 900], plan="q")[1:])
    assert (found.steps, found.left_out) == ([], ["1 edges between different plans are not compared"])


def test_a_median_is_no_delta() -> None:
    rows = series_of([100, 900, 120])
    rows[1] = replace(rows[1], delta="", delta_resolution="")
    found = steps.compared(rows)
    assert (found.steps, found.left_out) == ([], ["2 pairs of a delta and a median are not compared"])
    assert page.points(rows, *rows[0].key) == {("6.1", "gcc-12"): [(0, 100), (2, 120)]}


def test_what_is_no_function_makes_no_entry_and_is_named_first() -> None:
    every = steps_of([*series_of([100, 300]), *series_of([300, 100], case="clone/NEWPID/stack:1M")])
    known = {one.name: {"[interrupts]": (0.0, 900.0), "kfree": (5.0, 95.0), "down": (90.0, 0.0)} for one in every}
    found = steps.entries(every, known)
    assert {(one.function, one.size) for one in found} == {("kfree", 200), ("down", -200)}
    said = {one["function"]: one for one in steps.json_of(found, known)}
    assert said["kfree"]["unexplained"] == 200 - 900
    functions = said["kfree"]["functions"]
    assert isinstance(functions, list) and [one["function"] for one in functions] == ["[interrupts]", "kfree", "down"]
    assert "unexplained" not in steps.json_of(found, {one.name: {"kfree": (0.0, one.size + 3)} for one in every})[0]
    assert page.functions_of(found[0], known, {}) == "[interrupts] +900, down −90, kfree +90; unexplained −1.10 k"


def test_rows_that_step_by_the_same_function_are_one_entry() -> None:
    rows = [*series_of([100, 300]), *series_of([50, 250], case="unshare/NEWUTS"),
            *series_of([10, 90], case="clone/NEWPID/stack:1M")]
    every = steps_of(rows)
    known = {one.name: {"copy_utsname": (10.0, 210.0), "kfree": (5.0, 4.0)} for one in every if "UTS" in one.key[0]}
    known |= {one.name: {"alloc_pid": (0.0, 80.0)} for one in every if "PID" in one.key[0]}
    found = steps.entries(every, known)
    assert [(one.function, one.size, len(one.steps)) for one in found] == [("copy_utsname", 200, 2), ("alloc_pid", 80, 1)]
    assert [len(one.steps) for one in steps.entries(every, {})] == [1, 1, 1]


def test_a_backport_is_the_same_step() -> None:
    newer = [row(kernel(f"6.12.{at}-1", "gcc-14"), value) for at, value in enumerate([80, 290, 290, 500])]
    every = steps_of([*series_of([100, 300]), *newer])
    sizes = {one.name: one.size for one in every if one.edge.kind is Kind.update}
    found = steps.entries(every, {name: {"copy_utsname": (10.0, 10 + size)} for name, size in sizes.items()})
    said = {one["to"]: one["also"] for one in steps.json_of(found, {}) if one["kind"] == "update"}
    first, later = "6.12.1-1-cloud-amd64", "6.12.3-1-cloud-amd64"
    assert said["6.1.171-1-cloud-amd64"] == [f"6.12.0-1-cloud-amd64 → {first}", f"6.12.2-1-cloud-amd64 → {later}"]
    assert said[first] == ["6.1.170-1-cloud-amd64 → 6.1.171-1-cloud-amd64"]  # not the other one of its own line


def test_functions_are_written_and_read(tmp_path: Path) -> None:
    a, b, c = (("a", "b", case, "create") for case in ("clone/NEWUTS", "clone/NEWPID", "clone/NEWNET"))
    known = explained.Known({a: {"f": (1.0, 2.5), "g": (0.0, 3.0)}, b: {}}, {a: "p", b: "q", c: "q"}, {c: -4.5})
    plans = dict.fromkeys((a, b, c), "p")
    explained.write(tmp_path / "f.csv.xz", known, plans)
    assert explained.read(tmp_path / "f.csv.xz", plans) == (known, 0)
    assert explained.read(tmp_path / "f.csv.xz", dict.fromkeys(plans, "another")) == (explained.Known(), 3)
    assert explained.read(tmp_path / "none", plans) == (explained.Known(), 0)
    text = "base,new,plan,case,phase,function,before,after\na,b,p,clone/NEWUTS,create,f,1,2\n"
    (tmp_path / "older.csv.xz").write_bytes(lzma.compress(text.encode()))
    assert explained.read(tmp_path / "older.csv.xz", plans) == (explained.Known({a: {"f": (1.0, 2.0)}}, {a: "p"}), 0)


@pytest.mark.parametrize(("before", "after", "differs"), [
    (100, 300, None), (104, 300, None), (160, 356, None), (80, 300, None), (79, 300, 21), (100, 270, -30)])
def test_a_step_is_explained_where_it_is_the_recorded_one(before: float, after: float, differs: float | None) -> None:
    """Within its resolution, which is 4, or a tenth of it, whatever the two figures are."""
    step = steps_of(series_of([100, 300]))[0]

    def side(own: float) -> explained.Side:
        return explained.Side({step.key[0]: {"create": {"[call];f": own}}, "clone/none/stack:1M": {"create": {"[call];f": 1.0}}},
                              {step.key[0]: {"create": {"delta": own, "median": own + 1000}}})
    known = explained.Known()
    explained.look_behind([step], {step.edge.base: side(before), step.edge.new: side(after)}, known, "q", {step.key})
    assert known.differs == ({} if differs is None else {step.name: differs})
    assert known.by == {step.name: "q"} and set(known.functions) == (set() if differs else {step.name})
    assert (explained.wanted([step], known, "q", 100, 0), explained.wanted([step], known, "r", 100, 0)) == ([], [step] if differs else [])
    assert explained.builds_of(known, {step.name: "p"}) and not explained.builds_of(known, {step.name: "q"})
    said = page.functions_of(steps.entries([step], known.functions)[0], known.functions, known.differs)
    left = 200 - (after - before)
    assert said == (f"not explained: the step differs by {thousands(differs)}" if differs is not None else
                    f"f +{after - before:.0f}" + (f"; unexplained {thousands(left)}" if abs(left) > 4 else ""))
    silent = explained.Known()
    explained.look_behind([step], {step.edge.base: side(100), step.edge.new: explained.Side(side(300).stacks)}, silent, "q", {step.key})
    assert silent == explained.Known()


def test_files_to_go_on_from_are_checked_first(tmp_path: Path) -> None:
    explained.check(tmp_path)
    for name in (explained.FUNCTIONS, recorded_stacks.FILE, titles.FILE):
        (tmp_path / name).write_text("{")
        with pytest.raises(LabError, match=name):
            explained.check(tmp_path)
        (tmp_path / name).unlink()


def test_what_a_case_adds_is_explained_without_its_base() -> None:
    def side(own: float, none: float) -> explained.Side:
        return explained.Side({"clone/NEWUTS/stack:1M": {"create": {"[call];f": own, "[call];f;g": 7.0}},
                               "clone/none/stack:1M": {"create": {"[call];f": none}}})
    step = steps_of(series_of([100, 300]))[0]
    assert explained.changes(step, side(10, 4), side(215, 9), True) == {"f": (6.0, 206.0)}
    assert explained.changes(step, side(10, 4), side(215, 9), False) == {"f": (10.0, 215.0)}
    assert explained.changes(replace(step, key=("clone/NEWUTS/stack:1M", "drain")), side(1, 1), side(2, 2), False) is None


def test_what_workers_do_later_is_drain_s() -> None:
    def own(left_out: dict[str, str]) -> books.Books:
        return books.Books("c", {"create": books.Book(7, {("[call]", "f"): Cost(1, 7)}, 0)}, {("process_one_work", "g"): Cost(1, 5)},
                           left_out=left_out)
    assert job.stacks_of_phases(own({"drain": books.WORKERS})) == {"create": {"[call];f": 7}, "drain": {"process_one_work;g": 5}}
    assert job.stacks_of_phases(own({})) == {"create": {"[call];f": 7}}


def test_the_steps_of_the_page_are_explained_first() -> None:
    every = steps_of([*series_of([1000, 3000, 13000, 13500]), *series_of([9e5, 9.5e5], case="unshare/all")])
    assert [one.size for one in explained.wanted(every, explained.Known(), "p", 600, 0)] == [10000, 50000, 2000]  # ×4.3; most; ×3
    known = explained.Known({one.name: {} for one in every if one.size == 2000})
    assert [one.size for one in explained.wanted(every, known, "p", 100, 1)] == [10000]
    both = [*every, *steps_of(series_of([500, 2500, 2500], phase="exit"))]
    assert [one.size for one in explained.wanted(both, known, "p", 100, 2)] == [2000, 50000]  # ×5; the case's other phase is known
    assert [one.size for one in explained.wanted(both, explained.Known(), "p", 100, 1)] == [2000, 2000]


def test_waiting_is_told_apart() -> None:
    rows = [*series_of([1000, 3000, 1500]), *series_of([5000, 9e6, 9e6], phase="drain"),
            *series_of([1e6, 1.2e6, 1.2e6], case="unshare/all")]
    found = steps.entries(steps_of(rows), {})
    assert [one.size for one in found] == [2e5, 2000, -1500, 9e6 - 5000]
    headings = {one.heading: [entry.size for entry in one.entries] for one in page.sections(found)}
    assert headings == {"The 2 largest steps of one kind, as a factor": [2000, -1500],
                        "Waiting: the 1 largest steps of drain as a factor": [9e6 - 5000],
                        "The 3 largest steps between updates of a series, in instructions": [2e5, 2000, -1500]}
    assert [one.size for one in page.shown(found)] == [2000, -1500, 9e6 - 5000, 2e5]
    assert page.factor_of(found[1]) == "clone/NEWUTS create 1000 → 3000, ×3.00"
    assert page.factor_of(found[2]) == "clone/NEWUTS create 3000 → 1500, ÷2.00"
    assert page.factor_of(found[3]) == "clone/NEWUTS drain 5000 → 9.00 M, ×1800"
    others = page.by_factor(steps.entries(steps_of(series_of([-10, 3000, 3900, -900, -5000])), {}))  # a small one, and one of nothing
    assert [page.factor_of(one) for one in others] == ["clone/NEWUTS create 3900 → −900, below none", "clone/NEWUTS create −10 → 3000, new"]


def test_labels_of_a_picture_do_not_stand_in_each_other() -> None:
    assert page.levels([(0, "5.10"), (4, "6.1"), (6, "6.16"), (8, "6.17"), (10, "6.18"), (40, "7.0")], 0.1) == [0, 0, 1, 0, 1, 0]
    assert page.levels([(0, "a long name"), (1, "another"), (2, "b")], 0.1) == [0, 1, 2]


def test_the_page_has_the_steps(tmp_path: Path) -> None:
    rows = series_of([100, 300])
    every = steps_of(rows)
    known = {every[0].name: {"copy_utsname": (10.0, 210.0)}}
    text = page.text(rows, steps.entries(every, known), known, None)
    assert "| 6.1.170-1 | 6.1.171-1 |  | clone/NEWUTS create +200 | copy_utsname +200 |" in text
    assert "not profiled" in page.text(rows, steps.entries(every, {}), {}, None)
    marked = page.text(rows, steps.entries(every, known), known, None, foreign={every[0].name})
    assert "| copy_utsname +200 † |" in marked and "†" not in text
    page.write(tmp_path, rows, steps.entries(every, known), known)
    first = (tmp_path / "README.md").read_bytes()
    assert b"| titles.json |" not in first and b"| plans.json |" in first  # which history writes last
    page.write(tmp_path, rows, steps.entries(every, known), known)
    assert (tmp_path / "README.md").read_bytes() == first
    (tmp_path / titles.FILE).touch()
    page.write(tmp_path, rows, steps.entries(every, known), known)
    assert b"| titles.json | of the largest" in (tmp_path / "README.md").read_bytes()


def test_the_interactive_page_has_kernels_rows_and_steps(tmp_path: Path) -> None:
    rows = [*series_of([100, 300]), *series_of([7], case="setns/NEWNET/via:nsfd", phase="switch")]
    assert not interactive.is_history(tmp_path)
    table.write(tmp_path / table.FILE, rows)
    assert interactive.is_history(tmp_path)
    with pytest.raises(Unreadable, match="steps.json"):
        interactive.payload(tmp_path)
    said = steps.json_of(steps.entries(steps_of(rows), {}), {})
    carry.write_json(tmp_path / explained.STEPS, [one | {"function": "<!--<script>planted"} for one in said])
    found = interactive.payload(tmp_path)
    assert found["rows"] == {"create": {"clone/NEWUTS/stack:1M": [100, 300]}, "switch": {"setns/NEWNET/via:nsfd": [7, None]}}
    assert [one["short"] for one in found["kernels"]] == ["6.1.170", "6.1.171"]  # type: ignore[attr-defined]
    try:
        text = interactive.build(tmp_path).decode()
    except Unreadable as error:
        pytest.skip(str(error))
    assert all(f"{{{{{name}}}}}" not in text for name in ("title", "style", "data", "scripts", "libraries", "licences"))
    assert '"instructions":200' in text and "\\u003c!--\\u003cscript>planted" in text and "<!--<script>planted" not in text
