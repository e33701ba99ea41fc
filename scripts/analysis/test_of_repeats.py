"""Tests of folders that `nsbench --repeat` wrote: compare.py takes each repeat as a run, all else the combined rows."""
import csv
import json
from pathlib import Path
from typing import Any

import pytest

for module in ("numpy", "pandas", "scipy"):
    pytest.importorskip(module, reason=f"python3-{module} is missing")
import numpy as np

from analysis import columns, read, sources, summary
from analysis.fixtures import call, result_row, write_run, write_table
from analysis.script import Unreadable

COMPARE = Path(__file__).resolve().parents[1] / "compare.py"
CASES = ["clone/none/stack:1M", "clone/NEWPID/stack:1M", "unshare/NEWNET"]


def write_repeats(folder: Path, factor: float = 1, count: int = 5, complete: int = 5, hour: int = 0) -> Path:
    """As nsbench writes them, the last ones of which may have been stopped; the second case takes `factor` times as long."""
    random = np.random.default_rng(hour + 1)
    combined: dict[str, list[float]] = {case: [] for case in CASES}

    def repeat(number: int | None, whole: bool) -> dict[str, Any]:
        return {"repeat": {"number": number, "count": count, "apart_s": 0, "complete": whole}}

    name, rows_of_all = f"id-{folder.name}", []
    folder.mkdir()
    for number in range(1, count + 1):
        rows, samples = [], []
        for i, case in enumerate(CASES):
            median = 30000 * (i + 1) * (factor if i == 1 else 1) * np.exp(random.normal(0, 0.005))
            combined[case].append(median)
            rows.append(result_row(case, "create", median, run_id=f"{name}.{number}", ci_low=f"{median * 0.995:.3f}",
                                   ci_high=f"{median * 1.005:.3f}"))
            samples += [{"run_id": f"{name}.{number}", "kernel": "6.1.0", "clock": "wall", "case": case, "round": round_, "block": 1,
                         "sample": 0, "counted": int(round_ > 0), "create": f"{median:.0f}", "machine": 0} for round_ in (0, 1, 2)]
        own = write_run(folder / f"repeat-{number}", rows, **repeat(number, number <= complete),
                        started=f"2026-01-01T{hour + 2 * number:02}:00:00Z")
        write_table(own / "samples.csv", samples)
    for case, medians in combined.items():
        medians = medians[:complete] or medians[:1]
        rows_of_all.append(result_row(case, "create", float(np.median(medians)), run_id=name, repeats=len(medians), scatter="between"))
    aside = write_run(folder / "aside", rows_of_all, **repeat(None, complete == count))
    for file in aside.iterdir():
        file.rename(folder / file.name)
    aside.rmdir()
    return folder


def test_two_of_them_are_five_against_five(tmp_path: Path) -> None:
    base, new = write_repeats(tmp_path / "a"), write_repeats(tmp_path / "b", 1.2, hour=1)
    code, out, err = call(COMPARE, [base, new, "--format=json"])
    assert code == 1, out + err
    verdicts = {row["case"]: row["verdict"] for row in json.loads(out)["rows"]}
    assert verdicts[CASES[1]] == "slower" and set(verdicts[case] for case in (CASES[0], CASES[2])) <= {"same", "~"}
    listed = call(COMPARE, ["--base", *(base / f"repeat-{n}" for n in range(1, 6)), "--new", *(new / f"repeat-{n}" for n in range(1, 6)),
                            "--format=json"])
    assert listed[:2] == (code, out), "as if each were named"


def test_a_side_has_the_complete_ones_by_their_folders_names(tmp_path: Path) -> None:
    folder = write_repeats(tmp_path / "a", complete=3)
    assert [source.name for source in sources.side([folder])] == ["a/repeat-1", "a/repeat-2", "a/repeat-3"]
    assert [source.name for source in sources.side([folder / "results.csv"])] == ["a/repeat-1", "a/repeat-2", "a/repeat-3"]
    assert [source.name for source in sources.side([folder / "repeat-5"])] == ["a/repeat-5"], "whoever names it has it"
    with pytest.raises(Unreadable, match="would count twice"):
        sources.side([folder, folder / "repeat-2"])


def test_without_a_complete_one_there_is_nothing_to_compare(tmp_path: Path) -> None:
    folder = write_repeats(tmp_path / "a", complete=0)
    with pytest.raises(Unreadable, match=f"{folder}: none of its repeats is complete: nsbench --resume={folder} goes on with them"):
        sources.side([folder])


def test_one_of_another_run_is_refused(tmp_path: Path) -> None:
    folder = write_repeats(tmp_path / "a")
    (folder / "repeat-2").rename(tmp_path / "aside")
    (folder / "repeat-3").rename(folder / "repeat-2")
    for take in (lambda: sources.side([folder]), lambda: read.read_run(folder).samples):
        with pytest.raises(Unreadable, match=f"{folder}/repeat-2: is not the repeat 2 of the run in {folder}"):
            take()


def test_others_take_the_combined_rows_and_all_samples(tmp_path: Path) -> None:
    run = read.read_run(write_repeats(tmp_path / "a", complete=3))
    assert run.name == "a" and run.is_of_repeats and run.results["repeats"].tolist() == [3, 3, 3]
    assert run.samples is not None
    one = run.samples[run.samples["case"] == CASES[0]]
    assert one["round"].tolist() == [0, 1, 2, 0, 3, 4, 0, 5, 6]
    assert summary.summary(run)[1] == ("All of it was measured 3 times, and intervals are of how that came out: the scatter between "
                                       "repeats rules in 3 of 3 rows, that within them in the others.")
    (run.repeats[1].path / "samples.csv").unlink()
    assert read.read_run(tmp_path / "a").samples is None


def test_a_run_without_repeats_is_none(tmp_path: Path) -> None:
    run = read.read_run(write_run(tmp_path / "run", [result_row(CASES[0], "create", 5)]))
    assert not run.is_of_repeats and run.repeats == [] and summary.repeats(run) == []
    again = read.read_run(write_repeats(tmp_path / "a") / "repeat-1")
    assert not again.is_of_repeats and again.repeats == []


@pytest.mark.parametrize("member, value", [("number", 0), ("count", "5"), ("complete", None)])
def test_a_member_that_nsbench_does_not_write_is_refused(member: str, value: object, tmp_path: Path) -> None:
    folder = write_repeats(tmp_path / "a")
    record = json.loads((folder / "run.json").read_text())
    record["repeat"][member] = value
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(Unreadable, match=f"{folder}/run.json: repeat"):
        read.read_run(folder)


def test_an_earlier_nsbench_has_not_the_columns(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [result_row(CASES[0], "create", 5)])
    rows = list(csv.DictReader((folder / "results.csv").read_text().splitlines()))
    with open(folder / "results.csv", "w", newline="") as file:
        out = csv.DictWriter(file, [name for name in columns.of("results.csv") if name not in ("repeats", "scatter")],
                             extrasaction="ignore", lineterminator="\n")
        out.writeheader()
        out.writerows(rows)
    run = read.read_run(folder)
    assert run.results["repeats"].isna().all() and (run.results["scatter"] == "").all()
