"""Tests of what plots and the words on a run say of sets of kinds: their sums, and what their intervals tell."""
from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="python3-pandas is missing")
pytest.importorskip("matplotlib", reason="python3-matplotlib is missing")
from analysis import kinds, plots_sets, read, summary, tables
from analysis.fixtures import result_row, write_run


def test_sets_of_kinds() -> None:
    assert (
        kinds.set_id(["NEWUTS", "NEWPID"]) == "NEWPID-NEWUTS"
        and kinds.set_id([]) == "none"
        and kinds.set_id(kinds.KINDS) == kinds.ALL
    )
    assert (kinds.label("NEWNS-NEWPID"), kinds.label("none"), kinds.label(kinds.ALL)) == (
        "mnt+pid",
        "none",
        "all eight",
    )
    maps = {
        kinds.set_id(row + column)
        for row in tables.subsets(tables.MAP_ROWS)
        for column in tables.subsets(tables.MAP_COLUMNS)
    }
    assert len(maps) == 256


def test_sums_of_kinds(tmp_path: Path) -> None:
    deltas = {"NEWPID": 10, "NEWUTS": 5, "NEWPID-NEWUTS": 18, "NEWNET-NEWPID": 99}
    rows = [
        result_row(
            f"unshare/{name}", "create", 100 + delta, delta=delta, delta_low=delta - 2, delta_high=delta + 2
        )
        for name, delta in deltas.items()
    ]
    table = tables.of_sets(read.read_run(write_run(tmp_path / "one", rows)), "unshare", "create")
    sums = tables.sums(table)
    assert list(sums.index) == ["NEWPID-NEWUTS"]  # net alone was not measured
    assert sums.iloc[0][["measured", "expected", "interaction"]].tolist() == [18, 15, 3] and bool(
        sums.iloc[0]["resolved"]
    )
    assert tables.pairs(table).loc["NEWUTS", "NEWPID"] == 3


def of_deltas(folder: Path, half: float | None, unknown: tuple[str, ...] = ()) -> read.Run:
    """clone's kinds and three pairs of them, whose deltas are known to `half`; none has an interval, or none of `unknown`."""
    deltas = {"NEWNET": 300, "NEWPID": 10, "NEWUTS": 5, "NEWPID-NEWUTS": 15, "NEWNET-NEWPID": 310, "NEWNET-NEWUTS": 500}
    rows = [result_row("clone/none/stack:1M", "create", 100)]
    for name, delta in deltas.items():
        ends = {} if half is None or name in unknown else {"delta_low": delta - half, "delta_high": delta + half}
        rows.append(result_row(f"clone/{name}/stack:1M", "create", 100 + delta, delta=delta, **ends))
    return read.read_run(write_run(folder, rows))


def sentences(run: read.Run) -> str:
    return " ".join(summary.summary(run))


def test_sets_without_an_interval_are_in_no_count(tmp_path: Path) -> None:
    run = of_deltas(tmp_path / "all", 7)
    assert "3 sets of clone are within 0%; the interval of 2 holds the sum, that of 1 does not. Farthest" in sentences(run)
    assert "Not told from zero: uts." in sentences(run) and "Without an interval" not in sentences(run)
    some = of_deltas(tmp_path / "some", 7, ("NEWUTS", "NEWNET-NEWUTS"))
    assert "the interval of 2 holds the sum, that of 0 does not, and 1 have no interval. Farthest" in sentences(some)
    assert "Not told from zero" not in sentences(some)
    assert "Without an interval, so that nothing tells them from zero: uts." in sentences(some)
    none = of_deltas(tmp_path / "none", None)
    assert "within 0%; 3 have no interval. Farthest" in sentences(none)
    assert "Without an interval, so that nothing tells them from zero: net, pid, uts." in sentences(none)
    sums = tables.sums(tables.of_sets(none, "clone", "create"))
    assert not sums["known"].any() and not sums["resolved"].any()


def of_one_below(folder: Path) -> read.Run:
    """clone without namespaces takes no time, a kind less than that, one more, one as much as can be told."""
    deltas = {"NEWTIME": (-9, -11, -7), "NEWUTS": (1, -1, 3), "NEWPID": (10, 8, 12), kinds.ALL: (20, 18, 22)}
    rows = [result_row("clone/none/stack:1M", "create", 0)]
    rows += [result_row(f"clone/{name}/stack:1M", "create", 0, delta=delta, delta_low=low, delta_high=high)
             for name, (delta, low, high) in deltas.items()]
    return read.read_run(write_run(folder, rows))


def test_a_kind_below_zero_is_told_from_it(tmp_path: Path) -> None:
    run = of_one_below(tmp_path / "run")
    assert "Not told from zero: uts." in sentences(run)
    figure = plots_sets.added(run, "clone")
    assert not isinstance(figure, str)
    marks = [line for line in figure.axes[0].get_lines() if line.get_marker() != "None"]
    assert [line.get_fillstyle() for line in marks] == ["full", "none", "full"]  # from below: time, uts, pid


def test_what_all_kinds_add_is_said_also_beside_nothing(tmp_path: Path) -> None:
    assert "(create); all eight kinds add 20.0 ns." in sentences(of_one_below(tmp_path / "run"))


def test_stacks_without_an_interval_are_not_said_to_overlap(tmp_path: Path) -> None:
    rows = [result_row(f"clone/none/stack:{size}", "create", median, stack_bytes=size_bytes, **ends)
            for size, size_bytes, median in (("1M", 1 << 20, 1000), ("4M", 4 << 20, 1500), ("8M", 8 << 20, 2000))
            for ends in [{"ci_low": "", "ci_high": ""}]]
    assert "without intervals nothing tells them apart." in sentences(read.read_run(write_run(tmp_path / "run", rows)))


def test_kinds_and_sets_without_an_interval_are_hollow(tmp_path: Path) -> None:
    figure = plots_sets.added(of_deltas(tmp_path / "run", 1, ("NEWUTS", "NEWNET-NEWUTS")), "clone")
    assert not isinstance(figure, str)
    kinds_, sums = figure.axes[:2]
    marks = [line for line in kinds_.get_lines() if line.get_marker() != "None"]
    assert [(float(line.get_xdata()[0]), line.get_fillstyle()) for line in marks] == [(0.005, "none"), (0.01, "full"), (0.3, "full")]
    assert kinds_.get_title(loc="left") == "One kind alone (hollow: not told from zero or no interval)"
    assert [text.get_text() for text in sums.get_legend().get_texts()] == [
        "the interval holds the sum: 2", "it does not: 0", "no interval: 1", "the sum"]
