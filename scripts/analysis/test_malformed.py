"""Every script on every file of a run that is not as nsbench writes it: one line that names the file, and the exit code of
wrong use; never a traceback, and never a verdict."""
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[1]
pytest.importorskip("pandas", reason="python3-pandas is missing")
pytest.importorskip("scipy", reason="python3-scipy is missing")
pytest.importorskip("matplotlib", reason="python3-matplotlib is missing")
from analysis import libraries, stacks
from analysis.damage import ANY_FILE, broken, header, lab, of_json, put, rename, text
from analysis.fixtures import call, result_row, write_run, write_table

CASES = ("clone/none/stack:1M", "clone/NEWPID/stack:1M")
LAB: dict[str, object] = {"kernel_package": None, "kernel_sha256": "0" * 64, "command_line": "quiet",
                          "arguments": ["--samples=9"], "machines": {},
                          "profile": "exact"}  # whose probe.csv lab.py compare reads


def run(folder: Path, factor: float) -> Path:
    """Two cases of the lab with all the files that a run can have."""
    phases = ("create", "ready", "exit", "total")
    rows = [result_row(case, phase, 1000 * factor, clock="instructions", unit="instructions", resolution=1)
            for case in CASES for phase in phases]
    write_run(folder, rows, lab=LAB, state="fresh", options={"samples": 9, "precision": 0.02})
    common = {"run_id": f"id-{folder.name}", "kernel": "6.1.0", "clock": "instructions"}
    write_table(folder / "samples.csv", [
        {**common, "case": case, "round": number // 3 + 1, "block": 1, "sample": number, "counted": 1,
         **dict.fromkeys(phases, 1000 + number)} for case in CASES for number in range(9)])
    write_table(folder / "probe.csv", [
        {**common, "case": case, "function": f"f{number}", "kind": "shared", "path": "create", "backend": "fentry",
         "calls_per_op": 1, "total": 900, "self": 100 * (number + 1) * factor} for case in CASES for number in range(3)])
    write_table(folder / "memory.csv", [
        {**common, "case": case, "kind": "net", "allocator": "slab", "bytes_per_op": 10, "calls_per_op": 1, "call_site": "s"}
        for case in CASES])
    (folder / "stacks.folded").write_text("".join(f"{case};a;b 5\n" for case in CASES))
    return folder


LARGE = "9" * 20
CHANGES: dict[str, dict[str, Callable[[bytes], bytes] | None]] = {
    "results.csv": {**ANY_FILE, "median x": put("median", "x"), "resolution x": put("resolution", "x"),
                    "resolution inf": put("resolution", "inf"), "large": put("stack_bytes", LARGE), "1e400": put("mean", "1e400"),
                    "no median": rename("median"), "no case": rename("case"), "[]": put("ci_low", "[]"),
                    "open quote": put("reason", '"'), "twice": lambda data: header(data, lambda names: [*names[:-1], "median"]),
                    "half an interval": put("ci_high", ""), "upside down": put("ci_high", "1"), "below 0": put("resolution", "-1"),
                    "status": put("status", "fine"), "two rows": lambda data: data + data.splitlines(keepends=True)[1]},
    "samples.csv": {**ANY_FILE, "round": put("round", LARGE), "x": put("create", "x"), "no round": rename("round"),
                    "machine": put("machine", '"'), "case": put("case", "none")},
    "probe.csv": {**ANY_FILE, "no self": rename("self"), "no function": rename("function"), "self": put("self", "x"),
                  "1e308": put("self", "1e308"), "large": put("self", LARGE), "case": put("case", "x"), "no case": put("case", "")},
    "memory.csv": {**ANY_FILE, "no bytes": rename("bytes_per_op"), "1e308": put("bytes_per_op", "1e308"),
                   "large": put("bytes_per_op", LARGE), "case": put("case", "x")},
    "stacks.folded": {**{name: change for name, change in ANY_FILE.items()
                         if name not in ("empty", "open quote in the header", "carriage return")},
                      "superscript": text("clone/none;a ²\n"), "no weight": text("clone/none;a\n"),
                      "deep": text("clone/none;" + "a;" * 3000 + "b 5\n")},
    "run.json": {**ANY_FILE, "[]": text("[]"), "deep": text("[" * 100_000),
                 # which the JSON parser may take, and not all that goes through what it made
                 "rather deep": lambda data: data[:-1] + b', "more": ' + b"[" * 800 + b"]" * 800 + b"}",
                 "NaN": of_json("options", "precision", value=float("nan")),
                 "interval": of_json("options", "precision", value=[]), "half a pair": of_json("environment", "cpus", value="\ud800"),
                 "long": of_json("measuring", value={"drains": 10**400}), "lab": of_json("lab", value=[])},
}
# What the lab's compare takes besides, and whose exit code is 125.
OF_THE_LAB = {
    "results.csv": CHANGES["results.csv"].keys() - {"large", "1e400"},
    "probe.csv": CHANGES["probe.csv"].keys(),
    "run.json": {*ANY_FILE, "[]", "deep", "NaN", "half a pair", "lab", "sha", "no sha", "command", "machines", "digits", "kernel",
                 "package", "state", "clock"},
}
CHANGES_OF_THE_LAB = {"sha": of_json("lab", "kernel_sha256", value=None), "no sha": of_json("lab", "kernel_sha256", value=...),
                      "command": of_json("lab", "command_line", value=...), "machines": of_json("lab", "machines", value={"x": {}}),
                      "digits": of_json("lab", "machines", value={"9" * 5000: {}}), "kernel": of_json("kernel", value=[]),
                      "package": of_json("lab", "kernel_package", value="linux 6.²"),
                      "state": of_json("state", value="not fresh"), "clock": of_json("clock", value="sun")}
READS = {  # by which of its plots plot.py reads a file
    "run.json": "e", "results.csv": "e", "samples.csv": "d", "probe.csv": "g", "memory.csv": "h", "stacks.folded": "g"}


@pytest.fixture(scope="module", name="runs")
def fixture_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return run(folder / "base", 1), run(folder / "new", 1.5)


@pytest.mark.parametrize("file", CHANGES)
@pytest.mark.parametrize("script", ["compare", "curves", "export", "model", "plot", "report"])
def test_a_broken_file_is_one_line(runs: tuple[Path, Path], script: str, file: str, tmp_path: Path,
                                   monkeypatch: pytest.MonkeyPatch) -> None:
    if script in ("compare", "curves", "export", "model") and file not in ("run.json", "results.csv"):
        pytest.skip(f"{script}.py reads no other where it counts instructions")
    # The page needs libraries from elsewhere, which say nothing about files.
    monkeypatch.setattr(libraries, "vendored", lambda: None)
    monkeypatch.setattr(libraries, "library", lambda name: ("", "", ""))
    base, new = runs
    for number, (what, change) in enumerate(CHANGES[file].items()):
        folder = broken(new, tmp_path / f"{number}", file, change)
        words: dict[str, list[object]] = {
            "compare": [base, folder], "export": [folder, "--format=kcidb"], "model": [folder], "curves": [folder],
            "plot": [folder, "-o", tmp_path / "plots", f"--only={READS[file]}"],
            "report": [folder, "-o", tmp_path / "report.html"]}
        code, out, err = call(SCRIPTS / f"{script}.py", words[script])
        assert (code, err.count("\n")) == (2, 1), f"{what}: {code}\n{out}{err}"
        assert str(folder) in err and "Traceback" not in err, f"{what}: {err}"


@pytest.mark.parametrize("file", OF_THE_LAB)
def test_a_broken_file_is_no_verdict_of_the_lab(runs: tuple[Path, Path], file: str, tmp_path: Path) -> None:
    base, new = runs
    for number, what in enumerate(sorted(OF_THE_LAB[file])):
        folder = broken(new, tmp_path / f"{number}", file, {**CHANGES[file], **CHANGES_OF_THE_LAB}[what])
        code, _, err = lab("compare", base, folder)
        assert (code, err.count("\n")) == (125, 1), f"{what}: {code}\n{err}"
        assert str(folder) in err and "Traceback" not in err, f"{what}: {err}"


def test_the_line_is_named(runs: tuple[Path, Path], tmp_path: Path) -> None:
    for number, (change, line) in enumerate(((put("median", "x"), 2), (ANY_FILE["open quote in the header"], 1),
                                             (ANY_FILE["open quote at the end"], 10), (ANY_FILE["0xff"], 1))):
        folder = broken(runs[1], tmp_path / f"{number}", "results.csv", change)
        assert f"{folder}/results.csv, line {line}: " in call(SCRIPTS / "compare.py", [runs[0], folder])[2]


def test_whole_runs_are_read(runs: tuple[Path, Path], tmp_path: Path) -> None:
    assert call(SCRIPTS / "compare.py", runs)[0] == 1 and lab("compare", *runs)[0] == 1
    code, _, err = call(SCRIPTS / "plot.py", [runs[0], "-o", tmp_path, "--only=degh"])
    assert (code, "not made" in err) == (0, False), err


def test_the_deepest_stacks_are_shown(runs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "vendored", lambda: None)
    monkeypatch.setattr(libraries, "library", lambda name: ("", "", ""))
    for what, stack in (("deep", ";".join(["f"] * stacks.MOST_FRAMES) + " 5"), ("weightless", "a;b 0")):
        folder = broken(runs[1], tmp_path / what, "stacks.folded", text("".join(f"{case};{stack}\n" for case in CASES)))
        for script, words in (("plot", ["-o", tmp_path / "plots", "--only=g"]), ("report", ["-o", tmp_path / "report.html"])):
            code, _, err = call(SCRIPTS / f"{script}.py", [folder, *words])
            assert code == 0 and "Traceback" not in err, f"{script}, {what}: {err}"


# Presses Ctrl-C where a script imports that module: no clock decides when that is.
PRESSED = """
import os, runpy, signal, sys
class At:
    def find_spec(self, name, *_):
        if name == {moment!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, At())
sys.argv = {words!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(("script", "moments"), [
    ("compare", ("analysis.options", "pandas")), ("plot", ("analysis.stacks", "matplotlib")), ("report", ("analysis.script", "numpy")),
    ("model", ("pathlib", "statsmodels")), ("curves", ("analysis.options", "statsmodels")), ("export", ("analysis.outputs", "pandas")),
    ("ab", ("tempfile", "scipy")), ("lab", ("argparse", "lab.guest")), ("validate", ("statistics", "analysis.trials")),
])
def test_an_interrupt_among_the_imports_is_no_traceback(script: str, moments: tuple[str, ...], tmp_path: Path,
                                                        runs: tuple[Path, Path]) -> None:
    words = {"compare": runs, "plot": [runs[0], "-o", tmp_path], "report": [runs[0]], "model": [runs[0]], "curves": [runs[0]],
             "export": [runs[0], "--format=kcidb"], "ab": ["false", "false"],
             "lab": ["compare", *runs], "validate": ["compare"]}[script]
    for moment in moments:
        program = PRESSED.format(moment=moment, words=[str(SCRIPTS / f"{script}.py"), *map(str, words)])
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=tmp_path,
                              env={**os.environ, "PYTHONPATH": str(SCRIPTS)})
        assert done.returncode in (-signal.SIGINT, 130), f"{moment}: {done.returncode} {done.stderr}"
        assert "Traceback" not in done.stderr, f"{moment}: {done.stderr}"
