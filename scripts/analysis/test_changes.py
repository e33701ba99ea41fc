"""Tests of what the report says first: what changed from kernel to kernel."""
from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="python3-pandas is missing")

from analysis import changes
from analysis.fixtures import result_row, write_run
from analysis.read import Run, read_run


def run(folder: Path, kernel: str, create: float, clock: str = "instructions", state: str = "") -> Run:
    unit = "ns" if clock == "wall" else clock
    rows = [result_row(f"clone/{name}/stack:1M", "create", median, kernel=kernel, clock=clock, unit=unit, state=state,
                       ci_low=median - 1, ci_high=median + 1)
            for name, median in (("none", 100000.0), ("NEWNET", create))]
    return read_run(write_run(folder, rows))


def test_runs_of_one_kernel_have_no_changes(tmp_path: Path) -> None:
    assert changes.as_html([run(tmp_path / "a", "6.1.0", 2e5), run(tmp_path / "b", "6.1.0", 3e5)]) == ""


def test_each_step_and_the_whole_way_in_the_order_of_kernels(tmp_path: Path) -> None:
    said = changes.as_html([run(tmp_path / "c", "6.12.0", 7e8), run(tmp_path / "a", "5.10.0", 5e5), run(tmp_path / "b", "6.1.0", 4e5)])
    head = said[said.index("<tr>"):said.index("</tr>")]
    assert head == "<tr><th></th><th>5.10 → 6.12</th><th>5.10 → 6.1</th><th>6.1 → 6.12</th>"
    line = said[said.index("<tr><th>clone net"):]
    assert line.index("<td class='slower' title='500 k instructions → 700 M instructions: slower'><b>×1400</b>") < line.index(
        "<td class='faster' title='500 k instructions → 400 k instructions: faster'><b>−20.0%</b>")
    assert "<td class='unchanged' title='100 k instructions → 100 k instructions: identical'>+0.0%</td>" in said
    assert "<b>6.1.0 → 6.12.0</b>: 1 slower, 0 faster of 2 rows" in said and "rows slower by more than their resolution" in said


def test_a_candidate_is_the_base_of_its_version(tmp_path: Path) -> None:
    said = changes.as_html([run(tmp_path / "b", "6.12.0", 3e5), run(tmp_path / "a", "6.12.0-rc7", 2e5)])
    assert "<th></th><th>6.12.0-rc7 → 6.12.0</th>" in said  # not 6.12 → 6.12
    assert "<b>6.12.0-rc7 → 6.12.0</b>: 1 slower, 0 faster of 2 rows" in said


def test_one_run_a_side_by_wall_time_is_not_judged(tmp_path: Path) -> None:
    said = changes.as_html([run(tmp_path / "a", "6.1.0", 2e5, "wall"), run(tmp_path / "b", "6.12.0", 3e8, "wall")])
    assert "two runs cannot say" in said and "most upwards clone/NEWNET/stack:1M (create) by ×1500" in said
    assert "class='slower'" not in said


def test_several_runs_of_a_kernel_are_one_side(tmp_path: Path) -> None:
    runs = [run(tmp_path / f"{kernel}-{number}", kernel, create * (1 + number / 1000), "wall")
            for kernel, create in (("6.1.0", 2e5), ("6.12.0", 3e5)) for number in range(5)]
    said = changes.as_html(runs)
    assert "<b>6.1.0 → 6.12.0</b>: 1 slower, 0 faster of 2 rows" in said and "<b>+50.0%</b>" in said


def test_what_a_run_says_is_text(tmp_path: Path) -> None:
    runs = [run(tmp_path / kernel, f"{kernel}<i>", 2e5, state="<u>") for kernel in ("6.1.0", "6.12.0")]
    for one in runs:
        one.results["clock"] = "<b>sun</b>"
    said = changes.as_html(runs)
    assert "<h3>&lt;b&gt;sun&lt;/b&gt; clock, state &lt;u&gt;: 2 kernels</h3>" in said
    assert not any(word in said for word in ("<b>sun", "<u>", "<i>"))


def test_states_and_clocks_are_never_beside_one_another(tmp_path: Path) -> None:
    runs = [run(tmp_path / "a", "6.1.0", 2e5, state="fresh"), run(tmp_path / "b", "6.12.0", 3e5, state="crowded"),
            run(tmp_path / "c", "7.0.0", 3e5, "wall")]
    assert changes.as_html(runs) == ""
    said = changes.as_html([*runs, run(tmp_path / "d", "6.12.0", 2e5, state="fresh")])
    assert said.count("<article>") == 1 and "state fresh: 2 kernels" in said
