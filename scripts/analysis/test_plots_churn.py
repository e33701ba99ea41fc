"""Tests of the plot of a load."""
import re
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="python3-pandas is missing")
pytest.importorskip("matplotlib", reason="python3-matplotlib is missing")

from analysis import columns
from analysis.fixtures import completed, result_row, write_run

SCRIPTS = Path(__file__).resolve().parents[1]


def plot(*arguments: object) -> subprocess.CompletedProcess[str]:
    return completed(SCRIPTS / "plot.py", arguments)


def write_load(folder: Path, rows: list[dict[str, object]]) -> Path:
    """churn.csv with these rows; what they leave out is empty."""
    folder.mkdir(parents=True)
    names = list(columns.of("churn.csv"))
    plain = {"run_id": "id-load", "kernel": "6.1.0", "case": "churn/NEWNET/rate:200", "part": "load", "seconds": 0.25,
             "operations": 50, "rate": 200, "failed": 0, "background_operations": 0, "background_failed": 0}
    lines = [",".join(str({**plain, **row}.get(name, "")) for name in names) for row in rows]
    (folder / "churn.csv").write_text("\n".join([",".join(names), *lines]) + "\n")
    return folder


def load(folder: Path) -> Path:
    """One that leaves something to be drained."""
    times = {"p50": 4e5, "p90": 5e5, "p99": 9e5, "max": 2e6}
    rows: list[dict[str, object]] = [
        {"begin": 0.25 * i, "backlog": i, "not_freed": 10 * i, "slab": 2**28, "percpu": 2**20, "kernel_stack": 2**21,
         "kernel_memory": 2**28 + 2**20 + 2**21, **times} for i in range(8)]
    rows += [{"part": "drain", "begin": 2 + 0.25 * i, "operations": 0, "rate": 0, "not_freed": 70 - 10 * i, "slab": 2**28}
             for i in range(4)]
    return write_load(folder, rows)


def test_a_load_has_a_plot_over_time(tmp_path: Path) -> None:
    made = plot(load(tmp_path / "one"), "-o", tmp_path / "plots", "--format=svg")
    assert (made.returncode, made.stderr) == (0, "") and made.stdout == f"{tmp_path}/plots/k-churn.svg\n"
    shown = words(tmp_path / "plots/k-churn.svg")
    for word in ("churn/NEWNET/rate:200", "one · kernel 6.1.0 · id-load", "each second", "µs", "MiB", "p99", "namespaces not freed",
                 "arrivals that wait", "Slab"):
        assert word in shown, word


def write_batches(folder: Path, rows: list[dict[str, object]]) -> None:
    """batches.csv beside churn.csv, likewise."""
    names = list(columns.of("batches.csv"))
    plain = {"run_id": "id-load", "kernel": "6.1.0", "case": "churn/NEWNET/rate:200", "duration": 3e7}
    lines = [",".join(str({**plain, **row}.get(name, "")) for name in names) for row in rows]
    (folder / "batches.csv").write_text("\n".join([",".join(names), *lines]) + "\n")


def words(svg: Path) -> str:
    return " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg.read_text()))


@pytest.mark.parametrize("namespaces", [7, ""], ids=["counted", "not counted"])
def test_batches_are_drawn_where_there_are_any(tmp_path: Path, namespaces: object) -> None:
    folder = load(tmp_path / "one")
    plot(folder, "-o", tmp_path / "without", "--format=svg")
    assert "of a batch" not in words(tmp_path / "without/k-churn.svg")
    write_batches(folder, [{"batch": i + 1, "begin": 0.2 * i, "namespaces": namespaces} for i in range(5)])
    made = plot(folder, "-o", tmp_path / "plots", "--format=svg")
    assert (made.returncode, made.stderr) == (0, "")
    shown = words(tmp_path / "plots/k-churn.svg")
    assert "of a batch" in shown and "ms that it took" in shown
    assert ("net namespaces in it" in shown) == (namespaces != "")


def test_batches_of_another_load_are_refused(tmp_path: Path) -> None:
    folder = load(tmp_path / "one")
    write_batches(folder, [{"run_id": "id-other", "batch": 1, "begin": 0}])
    made = plot(folder, "-o", tmp_path / "plots")
    assert made.returncode == 2 and "of another load" in made.stderr and "Traceback" not in made.stderr


def test_what_the_kernel_did_not_tell_is_said_to_be_unknown(tmp_path: Path) -> None:
    made = plot(write_load(tmp_path / "one", [{"begin": 0}, {"begin": 0.25}]), "-o", tmp_path / "plots", "--format=svg")
    assert made.returncode == 0, made.stderr
    assert "unknown: churn.json says why" in (tmp_path / "plots/k-churn.svg").read_text()


def test_loads_and_runs_together(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [result_row(f"clone/{name}/stack:1M", "create", 1000.0, delta=5, delta_low=1, delta_high=9)
                                       for name in ("NEWPID", "NEWUTS")])
    made = plot(run, load(tmp_path / "a"), load(tmp_path / "b") / "churn.csv", "-o", tmp_path / "plots", "--quiet")
    assert made.returncode == 0, made.stderr
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {"a-k-churn.png", "b-k-churn.png", "b-kinds-clone.png"}


@pytest.mark.parametrize("text, said", [("", "empty"), ("a,b\n1,2\n", "column run_id is missing"), ("run_id", "ends within a line")])
def test_what_is_no_load_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one/churn.csv").write_text(text)
    made = plot(tmp_path / "one")
    assert made.returncode == 2 and said in made.stderr and "Traceback" not in made.stderr


def test_a_load_without_an_interval_is_refused(tmp_path: Path) -> None:
    made = plot(write_load(tmp_path / "one", []))
    assert made.returncode == 2 and "no interval" in made.stderr
