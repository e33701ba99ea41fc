"""Tests of scaling: throughput of blocks that are known, laws that are known are found again, and what is not told is said."""
import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy", reason="python3-scipy is missing")

import pandas as pd  # noqa: E402
from scipy import stats  # noqa: E402

from analysis import columns, limits, scaling, scaling_law, scaling_page  # noqa: E402
from analysis.fixtures import call, result_row, write_run, write_table  # noqa: E402
from analysis.scaling_law import Drawn, Law  # noqa: E402

SCRIPT = Path(__file__).resolve().parents[1] / "scaling.py"
CASE = "clone/NEWNS/stack:1M"
RATE = 2500.0


def law(count: float, alpha: float, beta: float) -> float:
    """Operations a second."""
    return RATE * count / (1 + alpha * (count - 1) + beta * count * (count - 1))


def fitted(random: np.random.Generator, alpha: float, beta: float, counts: Sequence[int] = (1, 2, 4, 8), rounds: int = 60) -> Law:
    """The law of rounds that scatter by 3%, and by 5% all together."""
    truth = np.array([law(count, alpha, beta) for count in counts])
    scatter = (1 + random.normal(0, 0.03, (rounds, len(counts)))) * (1 + random.normal(0, 0.05, (rounds, 1)))
    rates = pd.DataFrame(truth * scatter, columns=list(counts))
    again = scaling.rates_again(rates)
    assert again is not None
    return scaling_law.fit(np.array(counts, dtype=float), rates.median().to_numpy(), again)


def drawn(values: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> Drawn:
    """Of many rounds."""
    return Drawn(values, scaling_law.ends_of(1000))


def samples_of(random: np.random.Generator, case: str, count: int, mean: float, rounds: int, idle: float = 0.1) -> list[dict[str, object]]:
    """Of samplers whose operations take `mean` nanoseconds from one's end to the next one's, of which `idle` is in no phase."""
    rows: list[dict[str, object]] = []
    for round_ in range(rounds + 1):
        for sampler in range(count):
            ends = np.cumsum(random.gamma(400, mean / 400, 14))
            for place, (begun, ended) in enumerate(zip([0.0, *ends], ends)):
                rows.append({"run_id": "id-run", "kernel": "6.1.0", "clock": "wall", "case": case, "round": round_, "block": round_ + 1,
                             "sample": place, "counted": int(round_ > 0 and place >= 4), "total": f"{(ended - begun) * (1 - idle):.0f}",
                             "create": "1", "machine": 0, "sampler": sampler, "ended": f"{ended:.0f}"})
    return rows


def run(folder: Path, counts: Sequence[int], pinned: Sequence[int], rounds: int = 30, alpha: float = 0.1, beta: float = 0.01) -> Path:
    """Samplers that follow a law."""
    random = np.random.default_rng(7)
    cases = {count: CASE + (f"/parallel:{count}" if count > 1 else "") for count in counts}
    made = write_run(folder / "run", [result_row(case, "total", 400_000, parallel=count) for count, case in cases.items()],
                     sampler={"cpus": list(pinned)})
    rows = [row for count, case in cases.items()
            for row in samples_of(random, case, count, 1e9 * count / law(count, alpha, beta), rounds)]
    write_table(made / "samples.csv", rows)
    return made


@pytest.mark.parametrize(("alpha", "beta"), [(0.1, 0.02), (0.0, 0.0), (0.05, 0.0), (0.0, 0.03)])
def test_known_laws_are_found_again(alpha: float, beta: float) -> None:
    random = np.random.default_rng(3)
    trials = [fitted(random, alpha, beta) for _ in range(20)]
    for name, truth in (("rate", RATE), ("contention", alpha), ("coherency", beta)):
        inside = [getattr(one, name).low <= truth <= getattr(one, name).high for one in trials]
        assert sum(inside) >= 18, name
    assert all(one.contention.value >= 0 and one.coherency.value >= 0 and not one.vague for one in trials)
    assert sum(one.p < scaling_law.MISFIT for one in trials) <= 1


def test_a_law_that_does_not_hold_is_said_to() -> None:
    counts = np.array([1.0, 2, 4, 8])
    throughput = np.array([1000.0, 1900, 1500, 4000])
    again = drawn(throughput[:, None] * np.random.default_rng(1).normal(1, 0.01, (4, 500)))
    assert scaling_law.fit(counts, throughput, again).p < scaling_law.MISFIT


def test_throughput_that_grows_faster_than_the_law_knows_is_at_the_bound() -> None:
    counts = np.array([1.0, 2, 4, 8])
    throughput = 1000 * counts * (1 + 0.05 * (counts - 1))
    again = drawn(throughput[:, None] * np.random.default_rng(1).normal(1, 0.005, (4, 500)))
    found = scaling_law.fit(counts, throughput, again)
    assert found.contention.value == 0 and any("faster than the law knows" in note for note in found.notes)


def test_an_interval_that_spans_everything_is_not_identifiable() -> None:
    random = np.random.default_rng(5)
    counts = np.array([1.0, 2, 3, 4])
    throughput = np.array([law(count, 0.1, 0.02) for count in counts])
    again = drawn(throughput[:, None] * random.normal(1, 0.5, (4, 500)).clip(0.1))
    assert scaling_law.fit(counts, throughput, again).vague


def test_throughput_is_that_of_the_time_in_which_all_are_at_work() -> None:
    # The first sampler's counted samples end at 100 … 500, the second's at 180 … 900: both are at work from 180 to 500.
    rows = [{"errno": "", "round": 1.0, "block": 1.0, "sampler": float(sampler), "sample": float(10 * sampler + place),
             "counted": float(place > 0), "ended": (place + 1) * step} for sampler, step in ((0, 100.0), (1, 180.0)) for place in range(5)]
    taken = scaling.whole_blocks(pd.DataFrame(rows), 2)
    found = scaling.windows(taken, 2, cpus=2)
    assert found.time.loc[1] == 320 and found.operations.loc[1] == pytest.approx(320 / 100 + 320 / 180)
    # On one CPU they take turns: all that was done until the last was.
    found = scaling.windows(taken, 2, cpus=1)
    assert found.time.loc[1] == 900 and found.operations.loc[1] == 10
    assert scaling.whole_blocks(pd.DataFrame(rows), 3).empty, "a sampler is missing"


def test_samplers_that_are_never_all_at_work_have_no_throughput() -> None:
    rows = [{"errno": "", "round": 1.0, "block": 1.0, "sampler": float(sampler), "sample": float(10 * sampler + place),
             "counted": 1.0 if place else 0.0, "ended": 1000.0 * sampler + 100 * (place + 1)} for sampler in (0, 1) for place in range(5)]
    found = scaling.windows(scaling.whole_blocks(pd.DataFrame(rows), 2), 2, cpus=2)
    assert found.time.empty and found.apart == found.blocks == 1


def test_neighbouring_rounds_are_drawn_together() -> None:
    assert scaling.groups_of(10).shape == (10, 1)
    groups = scaling.groups_of(70)
    assert groups.shape == (18, 4) and list(groups[17]) == [68, 69, 70, 70]


def test_a_run_s_law_is_found(tmp_path: Path) -> None:
    folder = run(tmp_path, (1, 2, 4, 8), range(8))
    code, out, err = call(SCRIPT, [folder, "--format=json"])
    assert code == 0, err
    [one] = json.loads(out)["runs"]
    [case] = one["cases"]
    assert one["cpus"] == 8 and case["case"] == CASE and case["law"]["parallel"] == [1, 2, 4, 8]
    for level in case["levels"]:
        truth = law(level["parallel"], 0.1, 0.01)
        assert level["place"] == "within" and level["throughput"]["value"] == pytest.approx(truth, rel=0.02)
        assert level["throughput"]["low"] <= level["throughput"]["value"] <= level["throughput"]["high"]
        assert level["throughput_mean"] == pytest.approx(truth, rel=0.02) and level["timed"] == pytest.approx(0.9, abs=0.01)
        assert (level["lead_in"], level["samples_per_block"]) == (4, 10)
        assert level["efficiency"]["value"] == pytest.approx(truth / level["parallel"] / RATE, rel=0.05)
        p50, p90, p99 = (level["percentiles"][name]["value"] for name in ("p50", "p90", "p99"))
        assert p50 < p90 < p99
    assert case["law"]["alpha"]["low"] <= 0.1 <= case["law"]["alpha"]["high"]
    assert case["law"]["beta"]["low"] <= 0.01 <= case["law"]["beta"]["high"]
    code, text, _ = call(SCRIPT, [folder])
    assert code == 0 and "fitted to N = 1, 2, 4, 8" in text and "beyond the CPUs" not in text
    assert text == call(SCRIPT, [folder])[1], "the same run gives the same intervals"


def test_beyond_the_cpus_there_is_no_law(tmp_path: Path) -> None:
    folder = run(tmp_path, (1, 2, 4), [1, 0, 1, 0])
    code, text, _ = call(SCRIPT, [folder])
    assert code == 0
    assert "pinned, one after the other, to 2 CPUs (1, 0)" in text and "from N=3 on they share them" in text
    assert "not identifiable: 2 numbers of samplers within the CPUs (1, 2)" in text and "beyond the CPUs: samplers take turns" in text
    code, rows, words = call(SCRIPT, [folder, "--format=csv"])
    found = list(csv.DictReader(io.StringIO(rows)))
    assert [(row["parallel"], row["place"]) for row in found] == [("1", "within"), ("2", "within"), ("4", "beyond")]
    assert found[1]["efficiency"] and not found[2]["efficiency"] and "queueing" in words
    assert "| beyond the CPUs |" in call(SCRIPT, [folder, "--format=markdown"])[1]


def test_samplers_that_share_one_mm_are_told_beside_those_that_do_not(tmp_path: Path) -> None:
    folder = run(tmp_path, (1, 2), [0, 1])
    random = np.random.default_rng(8)
    slower = [row for count in (1, 2) for row in samples_of(
        random, CASE + ("/parallel:2" if count > 1 else "") + "/workers:threads", count, 1e9 * count / law(count, 0.1, 0.01) * 1.25, 30)]
    names = list(columns.of("samples.csv"))
    with (folder / "samples.csv").open("a") as file:
        file.writelines(",".join(str(row.get(name, "")) for name in names) + "\n" for row in slower)
    code, out, err = call(SCRIPT, [folder, "--format=json"])
    assert code == 0, err
    alone, together = json.loads(out)["runs"][0]["cases"]
    assert together["case"] == f"{CASE}/workers:threads"
    for level in together["levels"]:
        assert level["of_processes"]["value"] == pytest.approx(0.8, rel=0.02)
        assert level["of_processes"]["low"] < level["of_processes"]["value"] < level["of_processes"]["high"]
    assert alone["levels"][0]["of_processes"] is None
    assert "of what samplers with a memory each do: N=1 ×0." in call(SCRIPT, [folder])[1]


def test_one_cpu_is_no_concurrency(tmp_path: Path) -> None:
    text = call(SCRIPT, [run(tmp_path, (1, 2), [0, 0])])[1]
    assert "with one CPU nothing happens at the same time" in text


def test_samplers_that_are_not_pinned_have_the_machine_s_cpus(tmp_path: Path) -> None:
    text = call(SCRIPT, [run(tmp_path, (1, 2, 4), [])])[1]
    assert "where the scheduler puts them, on 2 CPUs" in text


def test_few_rounds_have_no_intervals(tmp_path: Path) -> None:
    folder = run(tmp_path, (1, 2, 3, 4), range(4), rounds=4)
    code, out, _ = call(SCRIPT, [folder, "--format=json"])
    [case] = json.loads(out)["runs"][0]["cases"]
    assert code == 0 and case["levels"][0]["throughput"]["low"] is None and "too few rounds" in case["without_law"]
    assert "no intervals of throughput: fewer than 6 rounds have all numbers of samplers" in case["notes"]


def test_numbers_in_different_cases_are_no_scaling(tmp_path: Path) -> None:
    """One has one sampler, and another one two."""
    random = np.random.default_rng(2)
    cases = {"clone/none/stack:1M": 1, f"{CASE}/parallel:2": 2}
    folder = write_run(tmp_path / "run", [result_row(case, "total", 400_000, parallel=count) for case, count in cases.items()],
                       sampler={"cpus": [0, 1]})
    write_table(folder / "samples.csv", [row for case, count in cases.items() for row in samples_of(random, case, count, 4e5, 8)])
    [one] = limits.read_runs([str(folder)])
    assert not scaling.has_levels(one) and scaling_page.as_html([one]) == ""
    assert call(SCRIPT, [folder])[0] == 2


def test_a_report_is_not_lost_where_scaling_cannot_be_said(tmp_path: Path) -> None:
    folder = run(tmp_path, (1, 2), [])
    record = json.loads((folder / "run.json").read_text())
    record["environment"]["cpus"] = "unknown"
    (folder / "run.json").write_text(json.dumps(record))
    assert scaling_page.as_html(limits.read_runs([str(folder)])) == "<p>run.json does not say how many CPUs there are</p>"


def test_a_phase_that_no_sample_has_is_said(tmp_path: Path) -> None:
    folder = run(tmp_path, (1, 2), [0, 1])
    code, out, err = call(SCRIPT, [folder, "--phase=drain"])
    assert code == 2 and f"{CASE}: no sample has phase drain" in out + err, out + err


def test_a_parameter_at_its_bound_leaves_a_degree_of_freedom() -> None:
    counts = np.array([1.0, 2, 4, 8])
    throughput = 1000 * counts * np.array([1, 0.99, 1.01, 1.04])
    again = drawn(throughput[:, None] * np.random.default_rng(1).normal(1, 0.01, (4, 500)))
    found = scaling_law.fit(counts, throughput, again)
    assert found.contention.value == 0 and found.coherency.value == 0
    errors = again.values.std(axis=1) / throughput
    measured = counts / throughput
    residuals = (1 / found.rate.value - measured) / measured / errors
    assert found.p == pytest.approx(stats.chi2.sf(float(residuals @ residuals), 3), rel=1e-3)


def test_what_has_no_scaling_is_said_with_its_remedy(tmp_path: Path) -> None:
    alone = run(tmp_path, (1, ), [0])
    assert call(SCRIPT, [alone])[0] == 2 and "--parallel=1,2,4" in call(SCRIPT, [alone])[2]
    (tmp_path / "b").mkdir()
    folder = run(tmp_path / "b", (1, 2), [1, 0])
    assert "not a phase" in call(SCRIPT, [folder, "--phase=whole"])[2]
    assert "has no phase switch" in call(SCRIPT, [folder, "--phase=switch"])[2]
    assert "none of 1 cases" in call(SCRIPT, [folder, "--filter=unshare"])[2]
    text = (folder / "samples.csv").read_text().splitlines()
    (folder / "samples.csv").write_text("\n".join(line.rsplit(",", 2)[0] for line in text) + "\n")
    assert "without the columns sampler and ended" in call(SCRIPT, [folder])[2]
    (folder / "samples.csv").unlink()
    assert "has no samples.csv" in call(SCRIPT, [folder])[2]
