"""Tests of the model of the sets: known truths are found again, and the intervals hold them."""
import csv
import io
import itertools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("statsmodels", reason="python3-statsmodels is missing")

from analysis import kinds, model, model_check, model_terms  # noqa: E402
from analysis.fixtures import call, result_row, write_run  # noqa: E402
from analysis.model import Deltas  # noqa: E402
from analysis.model_terms import Term  # noqa: E402

SCRIPTS = Path(__file__).resolve().parents[1]
SCRIPT = SCRIPTS / "model.py"
RESULTS = SCRIPTS.parent / "results"
NONE = 20_000.0
TRUTH: Mapping[Term, float] = {
    (): 600, ("NEWIPC",): 10_000, ("NEWNET",): 195_000, ("NEWNS",): 10_300, ("NEWPID",): 1300, ("NEWUSER",): 3500, ("NEWUTS",): 350,
    ("NEWNET", "NEWNS"): 30_000, ("NEWIPC", "NEWNET"): -25_000, ("NEWIPC", "NEWNS"): 9000, ("NEWIPC", "NEWNET", "NEWNS"): 60_000}
FLAGS = [term[0] for term in TRUTH if len(term) == 1]


def sets_of(flags: Iterable[str] = FLAGS) -> list[str]:
    """All sets of these but none."""
    flags = list(flags)
    return [kinds.set_id(one) for size in range(1, len(flags) + 1) for one in itertools.combinations(flags, size)]


def truth_of(namespaces: str, truth: Mapping[Term, float] = TRUTH) -> float:
    members = set(kinds.flags(namespaces))
    return sum(value for term, value in truth.items() if (members.issuperset(term) if term else members - {"NEWUSER"}))


def deltas(random: np.random.Generator, noise: float, truth: Mapping[Term, float] = TRUTH, base: float = 0) -> Deltas:
    """What a run measures whose times scatter by that share, its base by as much more."""
    import pandas as pd
    names = sets_of()
    own = random.normal(0, base)
    values = [truth_of(name, truth) + own + random.normal(0, noise * (NONE + truth_of(name, truth))) for name in names]
    return Deltas("none", NONE, base**2, pd.Series(values, index=names), pd.Series(dtype=float), {}, frozenset({"clone"}))


def row(namespaces: str, delta: float | None, **more: object) -> dict[str, object]:
    figures = {} if delta is None else {"delta": delta, "delta_low": delta - 1, "delta_high": delta + 1}
    return result_row(f"clone/{namespaces}/stack:1M", "create", NONE + (delta or 0), stack_bytes=1 << 20, **figures, **more)


def run(folder: Path, names: Iterable[str] | None = None, **more: object) -> Path:
    """A run without noise, but a little that follows no rule."""
    names = sets_of() if names is None else names
    rows = [row(name, truth_of(name) * (1 + 1e-3 * ((i * 37) % 11 - 5)), **more) for i, name in enumerate(names)]
    return write_run(folder, [row("none", None, **more), *rows])


def test_known_terms_are_found_and_their_intervals_hold_them() -> None:
    random = np.random.default_rng(1)
    inside = total = extra = 0
    for _ in range(20):
        fit = model.fit_runs([deltas(random, 0.01, base=100)])
        assert set(TRUTH) <= set(fit.terms)
        extra += len(fit.terms) - len(TRUTH)
        errors, freedom = model.spread(fit)
        held = [abs(value - TRUTH[term]) <= 2.01 * error for term, value, error in zip(fit.terms, fit.values, errors) if term in TRUTH]
        inside, total = inside + sum(held), total + len(held)
        assert freedom == len(sets_of()) - len(fit.terms)
    assert extra <= 2 * 20  # BIC takes a chance term now and then
    assert total == 20 * len(TRUTH) and inside / total >= 0.9


def test_intervals_of_several_runs_include_how_they_scatter() -> None:
    random = np.random.default_rng(2)
    inside = total = 0
    for _ in range(10):
        runs = []
        for _ in range(5):
            level = random.normal(1, 0.03)  # of a run, which its residuals do not show
            runs.append(deltas(random, 0.005, {term: value * level for term, value in TRUTH.items()}, base=50))
        fit = model.fit_runs(runs)
        errors, freedom = model.spread(fit)
        assert freedom == 4
        held = [abs(value - TRUTH[term]) <= 2.776 * error for term, value, error in zip(fit.terms, fit.values, errors) if term in TRUTH]
        inside, total = inside + sum(held), total + len(held)
    assert total == 10 * len(TRUTH) and inside / total >= 0.9


def test_runs_are_held_against_one_another() -> None:
    random = np.random.default_rng(3)
    said: list[str] = []
    assert model_check.check([deltas(random, 0.01, base=100) for _ in range(5)], said.append)
    assert "in 5 runs" in said[0] and any(line.startswith("each set, by the terms of one run") for line in said)
    outlying = {term: value * 2 for term, value in TRUTH.items()}  # a run that differs from all others
    runs = [deltas(random, 1e-4), deltas(random, 1e-4), deltas(random, 1e-4), deltas(random, 1e-4, outlying)]
    assert not model_check.check(runs[:2] + runs[3:], said.append)


def test_validate_takes_runs_that_are_there(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    folders = []
    for number in range(3):
        of = deltas(random, 0.01)
        rows = [row("none", None, ci_low=NONE - 10, ci_high=NONE + 10), *(row(name, value) for name, value in of.sets.items())]
        folders.append(write_run(tmp_path / f"run-{number}", rows))
    build = tmp_path / "absent"  # nsbench is not needed
    code, out, err = call(SCRIPTS / "validate.py", [f"--build={build}", "model", *folders])
    assert (code, err) == (0, "") and "95% intervals of 63 sets in 3 runs" in out
    code, _, err = call(SCRIPTS / "validate.py", [f"--build={build}", "model", *folders[:2]])
    assert (code, err) == (2, "validate: 2 runs: 3 are needed at least\n")
    code, _, err = call(SCRIPTS / "validate.py", [f"--build={build}", "model"])
    assert code == 2 and "no nsbench in" in err


def test_exact_counts_have_no_intervals_and_nothing_beyond_what_is_there(tmp_path: Path) -> None:
    rows = [row(name, truth_of(name), clock="instructions", unit="instructions") for name in sets_of()]
    folder = write_run(tmp_path / "run", [row("none", None, clock="instructions", unit="instructions"), *rows], clock="instructions")
    code, out, err = call(SCRIPT, [folder, "--format=json"])
    assert (code, err) == (0, "")
    [found] = json.loads(out)["models"]
    assert {tuple(term["kinds"]): round(term["value"], 3) for term in found["terms"]} == TRUTH
    assert all(term["low"] is None is term["high"] for term in found["terms"])
    assert (found["deviating"], found["unit"]) == ([], "instructions") and found["p90_residual"] < 1e-9


@pytest.mark.parametrize("more, said", [
    (200, "does not follow: NEWPID-NEWUTS: +2."),
    (50_000, "stands out of its run, and is not in the fit: NEWPID-NEWUTS: +52.")])
def test_a_set_that_does_not_follow_is_named(more: float, said: str, tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    flags = [*FLAGS, "NEWTIME"]
    rows = [row(name, truth_of(name) + random.normal(0, 0.002) * (NONE + truth_of(name)) + more * (name == "NEWPID-NEWUTS"))
            for name in sets_of(flags)]
    code, out, _ = call(SCRIPT, [write_run(tmp_path / "run", [row("none", None), *rows])])
    found = [line for line in out.splitlines() if line.startswith(("does not follow", "stands out"))]
    assert code == 0 and [line[:len(said)] for line in found] == [said]
    assert "NEWPID×NEWUTS" not in out or more < 1000  # no term is made of a figure that stands out


def test_a_stall_in_one_run_bends_nothing(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    folders = []
    for number in range(3):
        rows = [row(name, truth_of(name) + random.normal(0, 0.002) * (NONE + truth_of(name))
                    + 10e6 * ((number, name) == (1, "NEWIPC-NEWNET-NEWNS"))) for name in sets_of([*FLAGS, "NEWTIME"])]
        folders.append(write_run(tmp_path / f"run-{number}", [row("none", None), *rows]))
    code, out, err = call(SCRIPT, [*folders, "--format=json"])
    [found] = json.loads(out)["models"]
    assert (code, err) == (0, "")
    assert [(one["namespaces"], one["runs"]) for one in found["outside"]] == [("NEWIPC-NEWNET-NEWNS", 1)]
    values = {tuple(term["kinds"]): term["value"] for term in found["terms"]}
    assert {term: values[term] for term in TRUTH} == pytest.approx(dict(TRUTH), abs=500)


def test_of_figures_without_scatter_none_stands_out() -> None:
    """Not even one that differs: the others scatter by 0, of which any difference is more than six times as much."""
    names = sets_of([*FLAGS, "NEWTIME"])
    exact = np.array([truth_of(name) for name in names])
    exact[names.index("NEWPID-NEWUTS")] += 50_000
    assert not model_terms.standing_out(model_terms.added_kinds(names, "none"), exact, NONE).any()


@pytest.mark.parametrize("form", ["text", "markdown", "csv", "json"])
def test_formats(form: str, tmp_path: Path) -> None:
    folder = run(tmp_path / "run")
    code, out, err = call(SCRIPT, [folder, f"--format={form}"])
    assert code == 0
    words = out + err
    assert "one run: the intervals are of its residuals; how runs scatter is not in them" in words
    if form == "json":
        assert [one["term"] for one in json.loads(out)["models"][0]["terms"]][:2] == ["NEWNET", "NEWNS"]
    elif form == "csv":
        found = list(csv.DictReader(io.StringIO(out)))
        assert [one["what"] for one in found] == ["kind"] * 6 + ["shared"] + ["interaction"] * (len(found) - 7)
        assert float(found[0]["low"]) < float(found[0]["value"]) < float(found[0]["high"])
        assert "clone, create: what 63 sets add to none (20.0 µs)" in err
    else:
        assert "clone, create: what 63 sets add to none (20.0 µs)" in out and "any but NEWUSER, once" in out


def test_runs_are_taken_together_and_a_set_need_not_be_in_all(tmp_path: Path) -> None:
    folders = [run(tmp_path / "a"), run(tmp_path / "b", sets_of()[:-1]), run(tmp_path / "c")]
    code, out, err = call(SCRIPT, folders)
    assert (code, err) == (0, "")
    assert "3 runs: the intervals are Student's" in out and "1 set was not measured in every run" in out


def test_what_was_not_measured_is_left_out_with_its_reason(tmp_path: Path) -> None:
    rows = [row(name, truth_of(name)) for name in sets_of()]
    skipped = result_row("clone/NEWTIME/stack:1M", "create", None, stack_bytes=1 << 20, status="skipped", errno="EINVAL",
                         reason="no such kind")
    code, out, _ = call(SCRIPT, [write_run(tmp_path / "run", [row("none", None), *rows, skipped])])
    assert code == 0 and "left out: 1 set: EINVAL no such kind: NEWTIME" in out


def test_without_root_sets_are_held_against_newuser(tmp_path: Path) -> None:
    sets = [name for name in sets_of() if "NEWUSER" in kinds.flags(name)]
    rows = [row(name, truth_of(name) - TRUTH[("NEWUSER",)] if name != "NEWUSER" else None) for name in sets]
    folder = write_run(tmp_path / "run", rows, base_set="NEWUSER", in_userns=True)
    code, out, err = call(SCRIPT, [folder])
    assert (code, err) == (0, "") and "what 31 sets add to NEWUSER (20.0 µs)" in out and "\nNEWUSER " not in out


@pytest.mark.parametrize("words, said", [
    (["few"], "5 sets were measured with what they add to none; 7 main effects need 14 at least"),
    (["whole", "counts"], "are not of one clock: wall and instructions"),
    (["whole", "other"], "are not of one kernel: 6.1.0 and 6.2.0"),
    (["whole", "whole"], "are the same run"),
    (["baseless"], "clone/none is not among its rows"),
    (["whole", "--op=setns"], "no set was measured with what it adds to another"),
    (["whole", "--op=frob"], "--op=frob: not an operation"),
    (["whole", "--phase=frob"], "--phase=frob: not a phase"),
    (["pair"], "no operation of which sets of several kinds were measured in create"),
    (["absent"], "No such file or directory")], ids=" ".join)
def test_what_cannot_be_modelled_is_one_line(words: list[str], said: str, tmp_path: Path) -> None:
    run(tmp_path / "whole")
    run(tmp_path / "few", [*FLAGS[:3], "NEWNET-NEWPID", "NEWPID-NEWUSER-NEWUTS"])
    run(tmp_path / "counts", clock="instructions", unit="instructions")
    run(tmp_path / "other", kernel="6.2.0")
    run(tmp_path / "pair", FLAGS)
    write_run(tmp_path / "baseless", [row(name, truth_of(name)) for name in sets_of()])
    code, out, err = call(SCRIPT, [word if word.startswith("-") else tmp_path / word for word in words])
    assert (code, out, err.count("\n")) == (2, "", 1) and said in err


def test_kinds_that_are_always_together_are_refused(tmp_path: Path) -> None:
    names = [name for name in sets_of([*FLAGS, "NEWTIME"]) if ("NEWTIME" in name) == ("NEWUTS" in name)]
    code, _, err = call(SCRIPT, [run(tmp_path / "run", names)])
    assert code == 2 and "do not tell the kinds apart" in err


def test_recorded_runs() -> None:
    """Known figures of recorded runs: the cost paid once on 6.1, and what NEWNET costs beside NEWNS on the host."""
    [folder] = RESULTS.glob("6.1.0-*")
    _, out, _ = call(SCRIPT, [folder, "--op=unshare", "--format=json"])
    found = {one["term"]: one for one in json.loads(out)["models"][0]["terms"]}
    assert found["any but NEWUSER, once"]["value"] == pytest.approx(731, abs=2)
    _, out, _ = call(SCRIPT, [RESULTS / "host/wall", "--op=clone", "--format=json"])
    [of_clone] = json.loads(out)["models"]
    found = {one["term"]: one for one in of_clone["terms"]}
    # What an audit of another recording had of both: 8.4 ±1.0 and 7.1 ±0.9 µs.
    assert 7400 < found["NEWNET×NEWNS"]["value"] and found["NEWNET×NEWNS"]["low"] < 9400
    assert found["NEWIPC×NEWNET"]["low"] < 7100 < found["NEWIPC×NEWNET"]["high"]
    assert of_clone["median_residual"] < 0.0065 and of_clone["p90_residual"] < 0.017
