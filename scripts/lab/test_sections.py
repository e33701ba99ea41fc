"""Tests of what the page says of the exact profiles: nothing is left out, and the sums balance."""
import lzma
import re
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from analysis.kinds import ALL, KINDS
from lab import executed, explain, function_pages, recorded, section_exact, section_explained, section_subsystems
from lab.errors import LabError
from lab.exact import Cost
from lab.recorded import Figure
from lab.tree import Tree

RESULTS = Path(__file__).resolve().parents[2] / "results"
KERNELS = ("6.1.0-56-cloud-amd64", "6.12.118+deb13-cloud-amd64", "7.3.4+deb13-cloud-amd64")


@pytest.fixture(scope="module", name="runs")
def recorded_runs() -> list[recorded.Recorded]:
    """Some of the recorded runs, with their profiles."""
    return [recorded.read(RESULTS / name) for name in KERNELS]


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
    return of(name=name, exact=exact, added=lambda *_: Figure(added, added, added),
              median=lambda *_: None if drain is None else Figure(drain, drain, drain))


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
    assert " registered, 2 to 3 on a kernel;" in section_subsystems.subsystems(runs)[1]
    assert " registered, 2 on a kernel;" in section_subsystems.subsystems(runs[1:])[1]


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


def parts_of(sentence: str) -> tuple[float, float]:
    """What a sentence says of the change, and the sum of its parts."""
    def value(text: str) -> float:
        sign, amount, prefix = re.fullmatch(r".* ([+−])([\d.]+)(?: ([kM]))?", text).groups()  # type: ignore[union-attr]
        return (-1 if sign == "−" else 1) * float(amount) * {None: 1, "k": 1e3, "M": 1e6}[prefix]

    about, _, parts = sentence.strip("-. ").partition(": ")
    return value(about), sum(map(value, parts.split(", ")))


def test_every_change_has_a_sentence_that_agrees_with_the_tables(runs: list[recorded.Recorded]) -> None:
    for one, other in zip(runs, runs[1:]):
        lines = [line for line in section_explained.step(one, other) if line.startswith("- ")]
        same = next((line for line in lines if line.startswith("- Within")), "")
        for cost in section_explained.COSTS:
            for kinds in (*KINDS, ALL):
                name = f"{function_pages.name_of(kinds)}{cost.said}"
                before, after = cost.figure(one, kinds), cost.figure(other, kinds)
                said = [line for line in lines if re.match(rf"- {name} [+−]", line)]
                if not before or not after:
                    assert not said
                elif before.differs(after):
                    size, parts = parts_of(said[0])
                    assert len(said) == 1 and f" {explain.thousands(after.value - before.value)}:" in said[0]
                    assert parts == pytest.approx(size, abs=max(3, 0.05 * max(abs(before.value), abs(after.value))))
                else:
                    assert not said and name in re.split(r"[;:.] ?", same.replace("; ", ";").replace(": ", ":"))


def test_the_rest_stands_first_where_it_is_the_larger_part() -> None:
    assert section_explained.sentence("NEWIPC +90", {"a": 50, "b": 41}, "the rest", -1) == "NEWIPC +90: a +50, b +41, the rest −1"
    assert section_explained.sentence("NEWIPC +90", {"a": 9, "b": 1}, "waits", 80) == "NEWIPC +90: waits +80, a +9, b +1"
    assert section_explained.sentence("NEWIPC +90", {"a": 90}, "the rest", 0.5) == "NEWIPC +90: a +90"


def test_small_changes_are_folded_away_and_those_within_what_varies_are_named() -> None:
    def profile(more: float) -> dict[str, dict[str, Tree]]:
        return {"create": {"none": of_call({("a",): 10}), **{kinds: of_call({("a",): 10 + more}) for kinds in (*KINDS, ALL)}}}

    lines = section_explained.step(run("5", 100, profile(100)), run("6", 150, profile(150)))
    assert lines[:3] == ["**5 → 6**", "", ""]
    assert lines[4] == f"<summary>{len([*KINDS, ALL])} changes of less than 200 instructions</summary>"
    assert "- NEWUTS +50: a +50." in lines
    lines = section_explained.step(run("5", 100, profile(100)), run("6", 1100, profile(1100)))
    assert "- NEWUTS +1.00 k: a +1.00 k." in lines and "<details>" not in lines
    lines = section_explained.step(run("5", 100, profile(100)), run("6", 100, profile(100)))
    assert lines[2].startswith(f"- Within what they vary by: {next(iter(KINDS))}; ") and not lines[3]
