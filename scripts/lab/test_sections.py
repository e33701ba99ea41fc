"""Tests of what the page says of the exact profiles: nothing is left out, and the sums balance."""
import csv
import lzma
import re
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from analysis.kinds import ALL, KINDS, prefixed
from lab import executed, explain, function_pages, recorded, section_exact, section_explained, section_short, section_subsystems
from lab.errors import LabError
from lab.exact import Cost
from lab.format import WIDTH, filled, k
from lab.page_sections import SECTIONS, section
from lab.recorded import RecordedFigure
from lab.tree import Tree

RESULTS = Path(__file__).resolve().parents[2] / "results"
KERNELS = ("6.1.0-56-cloud-amd64", "6.12.118+deb13-cloud-amd64", "7.3.4+deb13-cloud-amd64")


@cache
def recorded_run(name: str) -> recorded.Recorded:
    """With its profile, which takes a second to read."""
    return recorded.read(RESULTS / name)


@pytest.fixture(scope="module", name="runs")
def recorded_runs() -> list[recorded.Recorded]:
    """Some of the recorded runs."""
    return list(map(recorded_run, KERNELS))


@pytest.fixture(scope="module", name="pages")
def their_pages(runs: list[recorded.Recorded]) -> dict[str, str]:
    return function_pages.pages(runs)


def tree(**paths: float) -> Tree:
    """Paths with __ between their functions."""
    return {tuple(path.split("__")): Cost(0, own) for path, own in paths.items()}


def of_call(own: dict[tuple[str, ...], float]) -> Tree:
    return {("[call]", *path): Cost(0, value) for path, value in own.items()}


def of(**members: object) -> recorded.Recorded:
    """A recorded run of which only this is looked at."""
    return cast(recorded.Recorded, SimpleNamespace(**members))


def run(name: str, added: float, exact: dict[str, dict[str, Tree]], drain: float | None = None) -> recorded.Recorded:
    """A recorded run in which each set adds so much."""
    return of(name=name, exact=exact, named=recorded.named(exact), probed=None, added=lambda *_: RecordedFigure(added, added, added),
              median=lambda *_: None if drain is None else RecordedFigure(drain, drain, drain))


def rows(lines: list[str]) -> list[list[str]]:
    """The cells of all tables' rows."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]


def number(cell: str) -> float:
    return 0 if cell == "–" else float(cell.replace("−", "-"))


def test_what_a_set_adds_is_told_from_none_by_the_names_of_the_source() -> None:
    none = {("[call]", "a"): Cost(0, 10), ("[call]", "a", "b"): Cost(0, 5), ("[interrupts]", "b"): Cost(0, 7)}
    net = {("[call]", "a"): Cost(0, 10), ("[call]", "a", "b.isra.0"): Cost(0, 6), ("[call]", "a", "c", "b.part.1"): Cost(0, 2),
           ("[call]", "a", "c"): Cost(0, 1)}
    one = of(exact={"create": {"none": none, "NEWNET": net}})
    assert executed.adds(one, "create") == {"NEWNET": {"b": 3, "c": 1, "[interrupts]": -7}}
    assert executed.adds(one, "create", executed.totals) == {"NEWNET": {"a": 4, "b": 3, "c": 3, "[interrupts]": -7}}
    assert executed.adds(one, "async") == {}
    assert executed.adds(of(exact={"create": {"NEWNET": net}}), "create") == {}


def test_a_function_within_itself_counts_once() -> None:
    assert executed.totals(of_call({("a", "b", "a"): 5, ("a",): 1}), "create") == {"a": 6, "b": 5}


def test_what_a_list_calls_is_found_through_the_lists_that_it_goes_through() -> None:
    own = tree(work__clean__one_exit=3, work__clean__undo__one_exit=4, work__clean__undo__one_exit__clean=2, work__clean=1,
               work__clean__undo=1, work=9, work__other__one_exit=8)
    own[("work", "clean", "undo.isra.0", "two_exit.part.0", "deeper")] = Cost(0, 5)
    assert executed.called(own, ("clean", "undo")) == ({"one_exit": 9, "two_exit": 5}, 2)


def subsystems(*names: str) -> dict[str, dict[str, Tree]]:
    made = of_call({("ops_init", *one): 1000 for one in ((), *((name,) for name in names))})
    return {"create": {"NEWNET": made}}


def test_subsystems_are_counted_for_each_kernel_without_the_allocator() -> None:
    runs = [run("5", 0, subsystems("a_init", "b_init", "old_init", "__kmalloc")),
            run("6", 0, subsystems("a_init", "new_init", "__kmalloc_noprof"))]
    assert " registered. 2 to 3 on a kernel have a row: " in " ".join(section_subsystems.subsystems(runs))
    assert " registered. 2 on a kernel have a row: " in " ".join(section_subsystems.subsystems(runs[1:]))


def test_all_subsystems_are_on_the_page_and_their_sums_balance(runs: list[recorded.Recorded]) -> None:
    lines = section_subsystems.subsystems(runs)
    at = next(i for i, line in enumerate(lines) if line.startswith("And when it is torn down"))
    for part, lists, found in (("create", section_subsystems.MAKES, rows(lines[:at])),
                               ("async", section_subsystems.UNDOES, rows(lines[at:]))):
        names = {name for one in runs for name in executed.called(one.exact[part]["NEWNET"], lists)[0]}
        shown = [row[0] for row in found]
        assert [name for name in names if shown.count(name) != 1] == [name for name in names if name.startswith("__kmalloc")]
        for column in range(1, len(runs) + 1):
            cells = {row[0]: number(row[column]) for row in found if row[0] not in ("NEWNET", "---")}
            whole = next(value for name, value in cells.items() if name.startswith("all of "))
            itself = next(value for name, value in cells.items() if "itself" in name or "themselves" in name)
            parts = itself + sum(value for name, value in cells.items() if name in names)
            assert parts == pytest.approx(whole, rel=0.005)
            assert whole == pytest.approx(sum(cost.self for path, cost in runs[column - 1].exact[part]["NEWNET"].items()
                                              if set(path) & set(lists)) / 1000, rel=0.005)


def test_teardown_is_left_out_where_a_profile_has_none() -> None:
    lines = section_subsystems.subsystems([run("5", 0, subsystems("a_init"))])
    assert "| a_init | 1.00 |" in lines and not any("torn down" in line for line in lines)
    assert section_subsystems.subsystems([run("5", 0, {})]) == section_subsystems.subsystems([run("5", 0, subsystems("__kmalloc"))]) == []
    nothing = {"create": {"NEWNET": of_call({("ops_init", "a_init"): 0})}}
    assert section_subsystems.subsystems([run("5", 0, nothing)]) == []


@pytest.mark.parametrize("kinds", [*KINDS, ALL])
def test_a_set_s_page_has_all_functions_and_its_sums_balance(runs: list[recorded.Recorded], pages: dict[str, str], kinds: str) -> None:
    parts = re.split(r"^## ", pages[function_pages.path_of(kinds)], flags=re.M)[1:]
    differ = [part for part in function_pages.TITLES if any(executed.adds(one, part)[kinds] for one in runs)]
    assert [body.split("\n")[0] for body in parts] == [function_pages.TITLES[part] for part in differ] and differ[0] == "create"
    for part, body in zip(differ, parts):
        own = rows(body.split("Without what it calls")[1].split("\n"))[1:]
        sums = {row[0]: row[1:] for row in rows(body.split("With all that")[0].split("\n"))}
        for i, one in enumerate(runs):
            cells = {row[0]: number(row[i + 1]) for row in own}
            trees = [one.exact[part].get(name, {}) for name in (kinds, "none")]
            assert {name for name, value in cells.items() if value} == set(executed.adds(one, part)[kinds])
            if part != "create":
                assert sum(cells.values()) == pytest.approx(sum(c.self for c in trees[0].values()) - sum(c.self for c in trees[1].values()))
            assert sum(cells.values()) == pytest.approx(number(sums["**all functions**"][i]))
            if part == "create":
                assert number(sums["**all functions**"][i]) + number(sums["the rest"][i]) == number(sums["**what it adds**"][i])
                added = one.added("clone", kinds, "create")
                assert added and number(sums["**what it adds**"][i]) == added.value


def test_the_page_leads_to_every_set_s(runs: list[recorded.Recorded], pages: dict[str, str]) -> None:
    lines = section_exact.exact(runs)
    leads = set(re.findall(r"\]\((.*?)\)", "\n".join(lines)))
    assert leads == set(pages) and all((RESULTS / path).exists() for path in leads)
    kernels = [one.name for one in runs[:-1]]
    assert sum(row[1] in kernels for row in rows(lines)) == len(kernels) * len([*KINDS, ALL])


@pytest.mark.parametrize("line", ["clone/NEWUTS/stack:1M;create 5", "clone/NEWUTS/stack:1M 5", "clone;create;a 5", "a 5"])
def test_a_stack_without_a_function_is_no_profile(tmp_path: Path, line: str) -> None:
    (tmp_path / "stacks.folded.xz").write_bytes(lzma.compress(f"clone/NEWUTS/stack:1M;create;a 5\n{line}\n".encode()))
    with pytest.raises(LabError, match="stacks.folded.xz is not whole"):
        recorded.read_exact(tmp_path)


def value_of(text: str) -> float:
    """The amount at the end of a text, with its sign and its prefix."""
    sign, amount, prefix = re.fullmatch(r".* ([+−])([\d.]+)(?: ([kM]))?", text).groups()  # type: ignore[union-attr]
    return (-1 if sign == "−" else 1) * float(amount) * {None: 1, "k": 1e3, "M": 1e6}[prefix]


def parts_of(sentence: str) -> tuple[float, float, float]:
    """What a sentence says of the change, the sum of its functions, and its rest."""
    about, _, parts = sentence.strip("-. ").partition(": ")
    values = {part: value_of(part) for part in parts.split(", ")}
    rest = sum(value for part, value in values.items() if part.startswith("the rest "))
    return value_of(about), sum(values.values()) - rest, rest


def step(one: recorded.Recorded, other: recorded.Recorded) -> list[str]:
    return section_explained.step(one, other, section_explained.changes(one, other))


def under(lines: list[str], summary: str) -> list[str]:
    """The sentences that are folded away under this."""
    at = next((i for i, line in enumerate(lines) if line.startswith("<summary>") and summary in line), len(lines))
    return [line for line in lines[at:lines.index("</details>", at)] if line.startswith("- ")] if at < len(lines) else []


def check_sentence(said: str, cost: section_explained.ExplainedCost, change: float, seen: float, is_unknown: bool) -> None:
    """Holds a sentence against the figure's change, and against the profile's."""
    size, functions, rest = parts_of(said)
    assert functions == pytest.approx(seen, rel=0.02, abs=5)  # rounded, and without those below half an instruction
    if cost.waits:
        assert not is_unknown and size == pytest.approx(seen, rel=0.01, abs=1) and not rest
    elif is_unknown:
        assert f"{explain.thousands(change)}, and the profile has " in said and abs(change - seen) > abs(change) / 2
    else:
        assert size == pytest.approx(change, rel=0.01, abs=1) and abs(functions - size) <= abs(size) / 2 + 5
        assert functions + rest == pytest.approx(size, rel=0.02, abs=5)


@pytest.mark.parametrize(("old", "new", "unexplained"), [
    (*KERNELS[:2], None), (*KERNELS[1:], None), ("6.19.14+deb13-cloud-amd64", "7.0.13+deb13-cloud-amd64", "NEWIPC")])
def test_every_change_has_a_sentence_that_agrees_with_the_tables(old: str, new: str, unexplained: str | None) -> None:
    one, other = map(recorded_run, (old, new))
    lines = step(one, other)
    unknown = under(lines, "not explained")
    same = next((line for line in lines if line.startswith("- Within")), "")
    waits = next((line for line in lines if line.startswith("- Waits")), "")
    assert not unexplained or any(line.startswith(f"- {unexplained} ") for line in unknown)
    for cost in section_explained.COSTS:
        for kinds in (*KINDS, ALL):
            name = f"{function_pages.name_of(kinds)}{cost.said}"
            before, after = cost.figure(one, kinds), cost.figure(other, kinds)
            said = [line for line in lines if re.match(rf"- {name} [+−]", line)]
            if not before or not after:
                assert not said
            elif not before.differs(after):
                assert not said and name in re.split(r"[;:.] ?", same)
            else:
                assert len(said) == 1
                seen = sum(executed.adds(other, cost.part)[kinds].values()) - sum(executed.adds(one, cost.part)[kinds].values())
                waited = after.value - before.value - seen
                check_sentence(said[0], cost, after.value - before.value, seen, said[0] in unknown)
                named = f"{function_pages.name_of(kinds)} {explain.thousands(waited)}" in waits
                assert named == (cost.waits and abs(waited) >= section_explained.LEAST)


def profile(adds: float) -> dict[str, dict[str, Tree]]:
    return {"create": {"none": of_call({("a",): 10}), **{kinds: of_call({("a",): 10 + adds}) for kinds in (*KINDS, ALL)}}}


@pytest.mark.parametrize(("seen", "said"), [
    (1000, "- NEWUTS +1.00 k: a +1.00 k."),
    (600, "- NEWUTS +1.00 k: a +600, the rest +400."),
    (400, "- NEWUTS +1.00 k, and the profile has +400: a +400."),
    (-300, "- NEWUTS +1.00 k, and the profile has −300: a −300."),
    (1600, "- NEWUTS +1.00 k, and the profile has +1.60 k: a +1.60 k."),
    (0, "- NEWUTS +1.00 k, and the profile has +0: no function differs.")])
def test_a_change_that_the_profile_does_not_have_is_not_explained(seen: float, said: str) -> None:
    runs = [run("5", 100, profile(100)), run("6", 1100, profile(100 + seen))]
    lines = step(*runs)
    unknown = under(lines, "not explained")
    assert lines.count(said) == 1 and (said in unknown) == ("the profile has" in said)
    count = len([*KINDS, ALL])
    explained = " ".join(section_explained.explained(runs))
    assert f" For {0 if unknown else count} of {count} changes the rest is at most 50% of the change" in explained


def test_waits_stand_once_beside_what_the_workers_execute() -> None:
    def torn_down(executes: float) -> dict[str, dict[str, Tree]]:
        return {"async": {"none": tree(work=5), "NEWIPC": {**tree(work=5), **tree(work__free=executes)}}}

    before, after = run("5", 0, torn_down(300), 8000), run("6", 0, torn_down(700), 9e6)
    lines = step(before, after)
    assert [line for line in lines if "NEWIPC, torn down" in line and line[0] == "-"] == ["- NEWIPC, torn down +400: free +400."]
    assert sum("NEWIPC +8.99 M" in line for line in lines) == 1 and not under(lines, "not explained")


def test_small_changes_are_folded_away_and_those_within_what_varies_are_named() -> None:
    lines = step(run("5", 100, profile(100)), run("6", 150, profile(150)))
    assert lines[:2] == ["<details>", f"<summary>5 → 6: {len([*KINDS, ALL])} changes</summary>"]
    assert "- NEWUTS +50: a +50." in under(lines, f"{len([*KINDS, ALL])} changes of less than 200 instructions")
    lines = step(run("5", 100, profile(100)), run("6", 1100, profile(1100)))
    assert "- NEWUTS +1.00 k: a +1.00 k." in lines and lines.count("<details>") == 1
    lines = step(run("5", 100, profile(100)), run("6", 100, profile(100)))
    assert lines[3].startswith(f"- Within what they vary by: {next(iter(KINDS))}; ") and not lines[4]


def test_text_is_filled_and_tables_and_code_are_not() -> None:
    row, code = f"| {'cell ' * 40}|", "scripts/lab.py " * 20
    lines = ["a line that", "goes on", "- " + "word " * 40, "- two", "  lines", "", row, "text", "```", code, "more", "```", "<details>"]
    found = filled(lines)
    assert found[0] == "a line that goes on" and found[1].startswith("- word") and found[2].startswith("  word")
    assert found[3:] == ["- two lines", "", row, "text", "```", code, "more", "```", "<details>"]
    assert all(len(line) <= WIDTH for line in found[:4])


@pytest.mark.parametrize("name", SECTIONS)
def test_no_line_of_the_page_is_too_long(runs: list[recorded.Recorded], name: str) -> None:
    lines = section(name, runs)
    assert lines and [line for line in lines if len(line) > WIDTH and not line.startswith("|")] == []
    assert not re.search(r"\d thousand\b", "\n".join(lines))


def test_the_page_begins_with_an_answer(runs: list[recorded.Recorded]) -> None:
    lines = section_short.short(runs)
    assert next(iter(SECTIONS)) == "short" and 3 <= sum(line.startswith("- ") for line in lines) <= 5
    text = " ".join(lines)
    assert "NEWNET is the dearest" in text and "NEWPID, NEWTIME" in text and "(host/README.md)" in text
    assert "changed most for NEWPID at 7.3.4, 1.82 k → 7.24 k (×3.98); " in text
    assert "NEWTIME adds less than nothing" in text and (RESULTS / section_short.HOST).exists()
    assert "less than nothing" not in " ".join(section_short.short(runs[:2]))


def test_how_often_subsystems_are_made_is_what_the_probe_counts(runs: list[recorded.Recorded]) -> None:
    calls = {}
    for one in runs:
        with open(one.folder / "probe" / "probe.csv", newline="") as file:
            calls[one.name] = next(float(row["calls_per_op"]) for row in csv.DictReader(file)
                                   if row["case"].startswith("clone/NEWNET/") and row["function"] == "ops_init")
    assert f", {min(calls.values()):.0f} to {max(calls.values()):.0f} times on a kernel" == section_subsystems.called_for(runs)
    rows_on = [len(section_subsystems.columns_of([one], "create", section_subsystems.MAKES, "__kmalloc")[0][0]) for one in runs]
    assert all(rows < calls[one.name] for rows, one in zip(rows_on, runs))
    assert section_subsystems.called_for([run("5", 0, subsystems("a_init"))]) == ""


@pytest.mark.parametrize("value", [1335, 2085, 1345, 21250, 401500])
def test_a_table_and_a_sentence_round_alike(value: float) -> None:
    assert f"{k(value)} k" == prefixed(value) and f"{k(-value)} k" == prefixed(-value)
