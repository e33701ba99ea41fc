"""compare.py: what it cannot compare is one line and 2."""
from collections.abc import Callable
from pathlib import Path

import pytest

for module in ("numpy", "pandas", "scipy"):
    pytest.importorskip(module, reason=f"python3-{module} is missing")
import numpy as np

from analysis.fixtures_compare import compare, run


def test_mixed_clocks_are_2(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    code, out, err = compare(run(tmp_path / "a", random), run(tmp_path / "b", random, clock="instructions"))
    assert (code, out) == (2, "")
    assert err == "compare: the runs have different clocks, which measure different things (instructions: b; wall: a)\n"


@pytest.mark.parametrize(("words", "says"), [
    ([], "either BASE NEW, or --base RUN... --new RUN..., is needed"), (["a"], "either BASE NEW"), (["a", "b", "c"], "either"),
    (["--base", "a"], "--new is missing"), (["a", "b", "--threshold=2"], "percentage"),
    (["a", "b", "--quantile=100%"], "less than 100%"), (["a", "b", "--alpha=1"], "below 0.5"),
    (["a", "b", "--filter=("], "not a regular expression"), (["a", "b", "--format=xml"], "invalid choice"),
    (["{a}", "{a}", "--single", "--phase=creat"], "no row has 'creat'; the phases are create, total"),
    (["{a}", "{a}", "--single", "--filter=zzz"], "no case matches 'zzz'"), (["{a}", "nowhere"], "nowhere: No such file or directory"),
    (["--base", "{a}", "{a}", "--new", "{a}"], "are the same run id-a: it would count twice"),
])
def test_wrong_usage_is_2_and_one_line(tmp_path: Path, words: list[str], says: str) -> None:
    folder = run(tmp_path / "a", np.random.default_rng(1))
    code, out, err = compare(*(word.format(a=folder) for word in words))
    assert (code, out) == (2, "")
    assert says in err and err.count("\n") == 1


@pytest.mark.parametrize(("name", "change", "says"), [
    ("results.csv", lambda text: "", "results.csv: empty"),
    ("results.csv", lambda text: text.splitlines()[0] + "\n", "no rows: the run has measured nothing"),
    ("results.csv", lambda text: text[:-20], "ends within a line: it was cut, or is still being written"),
    ("results.csv", lambda text: text.replace("median", "middle"), "column median is missing"),
    ("results.csv", lambda text: text.replace(",0,0,,,", ",nan,0,,,"), "outliers_mild is 'nan', not a number"),
    ("run.json", lambda text: text.replace('"schema_version": 1', '"schema_version": 7'), "schema_version 7; this one knows 1"),
    ("run.json", lambda text: text[:50], "run.json: no JSON"),
])
def test_a_broken_run_is_2_and_one_line(tmp_path: Path, name: str, change: Callable[[str], str], says: str) -> None:
    random = np.random.default_rng(1)
    base, new = run(tmp_path / "a", random), run(tmp_path / "b", random)
    text = (new / name).read_text()
    assert change(text) != text
    (new / name).write_text(change(text))
    code, out, err = compare(base, new)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(f"compare: {tmp_path}/b") and says in err
