"""Tests of the reader: a run as nsbench writes it, and each way in which one can be broken."""
import json
import lzma
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="python3-pandas is missing")
from analysis import columns, read, script
from analysis.fixtures import result_row, write_run

WIDTH = len(columns.of("results.csv"))
ROWS = [result_row("clone/none/stack:1M", "create", 1000.0),
        result_row("clone/NEWPID/stack:1M", "create", 1100.5, ci_low="", ci_high=""),
        result_row("clone/NEWTIME/stack:1M", "create", None, status="skipped", errno="EINVAL", reason="no, not here")]


def test_the_dictionary_has_all_files_and_types() -> None:
    assert list(columns.tables()) == ["results.csv", "samples.csv", "rounds.csv", "probe.csv", "memory.csv", "churn.csv", "bursts.csv",
                                      "batches.csv"]
    results = columns.of("results.csv")
    assert list(results)[:4] == ["run_id", "kernel", "clock", "case"]
    text = {name for name, column in results.items() if not column.is_number}
    assert text == {"run_id", "kernel", "clock", "case", "operation", "namespaces", "syscall", "spawn", "phase", "unit",
                    "status", "errno", "reason", "state", "scatter", "base"}
    assert results["median"].unit == columns.TICKS
    assert columns.phases()[:3] == ["start", "create", "ready"] and columns.phases()[-1] == "drain"


def test_a_folder(tmp_path: Path) -> None:
    run = read.read_run(write_run(tmp_path / "one", ROWS))
    assert (run.name, run.clock, run.kernel, run.unit) == ("one", "wall", "6.1.0", "ns")
    assert list(run.results.columns) == list(columns.of("results.csv"))
    assert run.results["median"].tolist()[:2] == [1000.0, 1100.5]
    assert run.results["reason"].tolist()[2] == "no, not here"
    assert len(run.measured) == 2
    assert (run.samples, run.probe, run.memory) == (None, None, None)
    assert run.identity() == "one · kernel 6.1.0 · A CPU, 2 CPUs · kvm · nsbench 0.1.0 · wall clock · id-one"


def test_a_run_from_before_a_column_came_is_read(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "one", ROWS)
    lines = (folder / "results.csv").read_text().splitlines()
    count = len(read.LATER["results.csv"])
    (folder / "results.csv").write_text("\n".join(",".join(line.split(",")[:-count]) if "," in line else line
                                                  for line in lines[:3]) + "\n")
    run = read.read_run(folder)
    assert run.state == "" and run.results["resolution"].isna().all()


def test_a_csv_alone_and_beside_its_json(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "one", ROWS)
    assert read.read_run(folder / "results.csv").info["run_id"] == "id-one"
    shutil.copy(folder / "results.csv", tmp_path / "alone.csv")
    run = read.read_run(tmp_path / "alone.csv")
    assert (run.info, run.name, run.samples) == ({}, "alone", None)


@pytest.mark.parametrize("name", ["samples.csv", "samples.csv.xz"])
def test_samples_plain_and_compressed(tmp_path: Path, name: str) -> None:
    folder = write_run(tmp_path / "one", ROWS)
    names = list(columns.of("samples.csv"))
    row: dict[str, object] = {"case": "clone/none/stack:1M", "round": 1, "block": 4, "sample": 0, "counted": 1, "create": 7}
    text = ",".join(names) + "\n" + ",".join(str(row.get(name, "")) for name in names) + "\n"
    (folder / name).write_bytes(lzma.compress(text.encode()) if name.endswith(".xz") else text.encode())
    samples = read.read_run(folder).samples
    assert samples is not None and samples["create"].tolist() == [7.0] and samples["total"].isna().all()


@pytest.mark.parametrize(("disturbed", "option", "counted"),
                         [(range(1, 4), "drop", 6), (range(1, 4), "keep", 9), (range(1, 5), "drop", 9), ((), "drop", 9)])
def test_samples_of_rounds_that_were_left_out_are_not_counted(tmp_path: Path, disturbed: range, option: str,
                                                              counted: int) -> None:
    """As nsbench leaves them out: unless fewer than six rounds would be left."""
    folder = write_run(tmp_path / "one", ROWS)
    info = json.loads((folder / "run.json").read_text())
    info.setdefault("options", {})["disturbed"] = option
    (folder / "run.json").write_text(json.dumps(info))

    def write(file: str, rows: list[dict[str, object]]) -> None:
        names = list(columns.of(file))
        (folder / file).write_text("\n".join([",".join(names), *(",".join(str(row.get(name, "")) for name in names)
                                                                 for row in rows), ""]))
    write("samples.csv", [{"case": "clone/none/stack:1M", "round": number, "counted": int(number > 0), "create": 2 if number < 6 else 4}
                          for number in range(10)])
    write("rounds.csv", [{"round": number, "disturbed": "steal" if number in disturbed else ""} for number in range(1, 10)])
    run = read.read_run(folder)
    assert run.samples is not None and run.samples["counted"].sum() == counted
    quantiles = run.quantile(0.5)
    assert quantiles is not None and quantiles["clone/none/stack:1M", "create"] == (4 if counted == 6 else 2)
    (folder / "rounds.csv").unlink()
    run = read.read_run(folder)
    assert run.rounds is None and run.samples is not None and run.samples["counted"].sum() == 9


@pytest.mark.parametrize("name", ["samples.csv", "samples.csv.xz"])
@pytest.mark.parametrize("left", ["", "id-one,6.1,wa", "a line\n", '"\n\n'])
def test_what_a_killed_run_left_behind_its_samples_is_none(tmp_path: Path, name: str, left: str) -> None:
    folder = write_run(tmp_path / "one", ROWS)
    names = list(columns.of("samples.csv"))
    row: dict[str, object] = {"case": "clone/none/stack:1M", "round": 1, "block": 4, "counted": 1, "create": 7}
    text = "\n".join([",".join(names), *(",".join(str((row | {"sample": number}).get(name, "")) for name in names) for number in range(2)),
                      left])
    (folder / name).write_bytes(lzma.compress(text.encode()) if name.endswith(".xz") else text.encode())
    info = json.loads((folder / "run.json").read_text())
    for lines in (2, 1, 0):
        info.setdefault("measuring", {})["sample_lines"] = lines
        (folder / "run.json").write_text(json.dumps(info))
        samples = read.read_run(folder).samples
        assert samples is not None and samples["create"].tolist() == [7.0] * lines
    info["measuring"]["sample_lines"] = 5
    (folder / "run.json").write_text(json.dumps(info))
    with pytest.raises(script.Unreadable, match=rf"{name}: cut off within line \d: run.json says that it has 6$"):
        assert read.read_run(folder).samples is None


def test_samples_of_an_earlier_version_have_fewer_phases(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "one", ROWS)
    names = [name for name in columns.of("samples.csv") if name not in ("start", "cpu")]
    row: dict[str, object] = {"case": "clone/none/stack:1M", "round": 1, "block": 4, "sample": 0, "counted": 1, "create": 7}
    text = ",".join(names) + "\n" + ",".join(str(row.get(name, "")) for name in names) + "\n"
    (folder / "samples.csv").write_text(text)
    samples = read.read_run(folder).samples
    assert samples is not None and samples["create"].tolist() == [7.0] and samples["start"].isna().all() and samples["cpu"].isna().all()
    (folder / "samples.csv").write_text(text.replace("round,", "circle,"))
    with pytest.raises(script.Unreadable, match="column round is missing"):
        assert read.read_run(folder).samples is None


def broken(folder: Path, change: Callable[[str], str]) -> str:
    """What is said of a run whose results.csv was changed."""
    file = folder / "results.csv"
    file.write_text(change(file.read_text()))
    with pytest.raises(script.Unreadable) as error:
        read.read_run(folder)
    assert "\n" not in str(error.value)
    return str(error.value).replace(str(folder), "RUN")


@pytest.mark.parametrize(("change", "says"), [
    (lambda text: "", "RUN/results.csv: empty"),
    (lambda text: text.splitlines()[0] + "\n", "no rows"),
    (lambda text: text[:-5], "ends within a line"),
    (lambda text: text[:len(text) // 2], "ends within a line"),
    (lambda text: text[:len(text) // 2] + "\n", f"fields, the header has {WIDTH}"),
    (lambda text: text.replace("median", "mediam"), "RUN/results.csv: column median is missing"),
    (lambda text: "a,b\n1,2\n", "column run_id is missing (and 30 others): is it a results.csv of nsbench?"),
    (lambda text: text.replace("1100.500", "nan"), "line 3: median is 'nan', not a number"),
    (lambda text: text.replace("1100.500", "inf"), "line 3: median is 'inf', not a number"),
    (lambda text: text.replace("1100.500", "x"), "line 3: median is 'x', not a number"),
    (lambda text: text.replace("1100.500", ""), "line 3: median is empty in a measured row"),
    (lambda text: text.replace("skipped", "maybe"), "line 4: unknown status 'maybe'"),
    (lambda text: text.replace('"no, not', '"no\n, not'), "line 4: a field goes on in the next line"),
    (lambda text: text.replace(",wall,", ",a b,"), "line 2: unknown clock 'a b'"),
    (lambda text: text.replace("id-one", "id-two", 1), "more than one run_id: id-two and id-one"),
    (lambda text: text + text.splitlines()[1] + "\n", "line 5: clone/none/stack:1M create stands there twice"),
    (lambda text: text.replace("id-one", "id-two"), "run.json is of id-one, results.csv of id-two"),
    (lambda text: text[:40] + "\0" + text[40:], "not a text file"),
    (lambda text: text.replace("6.1.0", "6.1.0,x"), f"line 2: {WIDTH + 1} fields, the header has {WIDTH}"),
])
def test_a_broken_csv_is_one_line(tmp_path: Path, change: Callable[[str], str], says: str) -> None:
    assert says in broken(write_run(tmp_path / "one", ROWS), change)


@pytest.mark.parametrize(("text", "says"), [
    ("", "no JSON"), ("[]", "has no schema_version"), ("{}", "has no schema_version"),
    (json.dumps({"schema_version": 2}), "schema_version 2; this one knows 1"),
    (json.dumps({"schema_version": "1"}), "schema_version '1'; this one knows 1"),
    ("[" * 100_000, "nested too deeply"),
])
def test_a_broken_run_json_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    folder = write_run(tmp_path / "one", ROWS)
    (folder / "run.json").write_text(text)
    with pytest.raises(script.Unreadable, match=says):
        read.read_run(folder)


@pytest.mark.parametrize(("changed", "says"), [
    ({"environment": None}, "environment is None, not an object"), ({"options": None}, "options is None, not an object"),
    ({"measuring": None}, "measuring is None"), ({"measuring": {"drains": "x"}}, "measuring: drains is 'x', not a number"),
    ({"started": 5}, "started is 5, not text"), ({"lab": None}, "lab is None"), ({"warnings": None}, "warnings is None, not a list"),
    ({"arguments": 5}, "arguments is 5, not a list"), ({"findings": ["x"]}, "findings is 'x', not an object"),
    ({"findings": [{}]}, "findings: id is missing"), ({"environment": {"cpu_model": 5}}, "environment: cpu_model is 5, not text"),
])
def test_a_run_json_of_other_types_is_one_line(tmp_path: Path, changed: dict, says: str) -> None:
    with pytest.raises(script.Unreadable, match=f"run.json: {says}"):
        folder = write_run(tmp_path / "one", ROWS)
        file = folder / "run.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changed))
        read.read_run(folder)


def test_what_steers_a_terminal_is_shown_as_text(tmp_path: Path) -> None:
    red, shown = "\x1b[31m\u202e", "\\x1b[31m\\u202e"
    rows = [{**row, "kernel": f"6.1 µ{red}", "state": red, "reason": row["reason"] and f"no,{red}"} for row in ROWS]
    folder = write_run(tmp_path / "one", rows, {"cpu_model": f"A\nCPU{red}"}, nsbench_version=red, run_id=f"id{red}")
    (folder / "results.csv").write_text((folder / "results.csv").read_text().replace("id-one", f"id{red}"))
    run = read.read_run(folder)
    assert run.identity() == (f"one · kernel 6.1 µ{shown} · A\\nCPU{shown}, 2 CPUs · kvm · nsbench {shown} · state {shown} · wall clock · "
                              f"id{shown}")
    assert run.results["reason"].tolist()[2] == f"no,{shown}" and run.results["median"].tolist()[:2] == [1000.0, 1100.5]


def test_truths_are_no_numbers(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "one", [result_row("clone/none", "create", 9.0, outliers_mild="True")])
    with pytest.raises(script.Unreadable, match="outliers_mild is 'True', not a number"):
        read.read_run(folder)


def test_what_is_not_there(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "one", ROWS)
    with pytest.raises(script.Unreadable, match="No such file"):
        read.read_run(tmp_path / "two")
    (folder / "run.json").unlink()
    with pytest.raises(script.Unreadable, match="has no run.json: is it a folder that nsbench --out wrote"):
        read.read_run(folder)


def test_a_compressed_file_that_was_cut(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "one", ROWS)
    (folder / "samples.csv.xz").write_bytes(lzma.compress(b"a" * 10000)[:40])
    with pytest.raises(script.Unreadable, match="cut off"):
        read.read_run(folder).samples


@pytest.mark.skipif(os.geteuid() != 0, reason="root is needed to become another user")
def test_no_permission_is_one_line(public: Path) -> None:
    folder = write_run(public / "one", ROWS)
    folder.chmod(0)
    program = "from analysis import columns, read, script\ncolumns.tables()\nimport os; os.setuid(65534)\n" \
        f"script.main(lambda words: read.read_run({str(folder)!r}) and 0, 'compare')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])})
    assert (done.returncode, done.stderr) == (2, f"compare: {folder}/run.json: Permission denied\n")


def test_a_missing_package_is_one_line_with_the_remedy(capsys: pytest.CaptureFixture) -> None:
    def body(_: list[str]) -> int:
        raise ModuleNotFoundError("No module named 'scipy'", name="scipy")
    with pytest.raises(SystemExit) as left:
        script.main(body, "compare")
    assert left.value.code == 3
    assert capsys.readouterr().err == "compare: python3-scipy is missing: apt-get install python3-scipy\n"


def test_a_mistake_of_a_script_is_never_the_1_of_a_regression(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as left:
        script.main(lambda words: 1 // 0, "compare")
    assert left.value.code == 2 and "ZeroDivisionError" in capsys.readouterr().err
