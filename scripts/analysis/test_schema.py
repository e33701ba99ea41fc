"""Tests of run.schema.json: it describes what nsbench writes, all of it, and nothing else."""
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis import columns

jsonschema = pytest.importorskip("jsonschema", reason="python3-jsonschema is missing")

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parents[1] / "results"
SCHEMA = json.loads((HERE / "run.schema.json").read_text(encoding="utf-8"))
OF_THE_LAB = {"lab"}  # members that nsbench does not write
OF_COPIES = {"cost_of_a_traced_call"}  # of a probed case: likewise


def closed(schema: Any, whole: bool) -> Any:
    """The same, which refuses members that it does not describe; and, with `whole`, lacks none of what nsbench writes."""
    if isinstance(schema, list):
        return [closed(one, whole) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(one, whole) for name, one in schema.items()}
    if isinstance(properties := schema.get("properties"), dict) and schema.get("type") == "object":
        found["additionalProperties"] = False
        if whole:
            found["required"] = sorted(properties.keys() - OF_THE_LAB - (OF_COPIES if "case" in properties else set()))
    return found


def wrong(record: object, whole: bool = False) -> list[str]:
    """What of a run.json is not as described."""
    validator = jsonschema.Draft202012Validator(closed(SCHEMA, whole))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(record)]


def recorded() -> Iterator[Path]:
    """The runs in results/."""
    return (path.parent for path in sorted(RESULTS.rglob("run.json")))


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_clocks_are_those_of_the_scripts() -> None:
    assert SCHEMA["properties"]["clock"]["enum"] == SCHEMA["properties"]["options"]["properties"]["clock"]["enum"] == list(columns.CLOCKS)


@pytest.mark.parametrize("folder", recorded(), ids=lambda folder: str(folder.relative_to(RESULTS)))
def test_recorded_runs_have_what_it_describes(folder: Path) -> None:
    assert wrong(json.loads((folder / "run.json").read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("name", ["6.1 ä", ""])
def test_a_kernel_may_have_any_name(name: str) -> None:
    """As it may for nsbench, which reads it back."""
    record = json.loads((next(recorded()) / "run.json").read_text(encoding="utf-8"))
    assert wrong({**record, "kernel": name}) == []


@pytest.mark.parametrize("words", [
    ["--case=clone/NEWPID/stack:1M", "--samples=4"], ["--case=clone/NEWUTS/stack:1M", "--budget=1s", "--cpu=any", "--block=2"],
    ["--case=clone/NEWUTS/stack:1M", "--samples=2", "--repeat=2", "--apart=1ms"],
    ["--op=runtime", "--ns=pid,mnt", "--samples=2"], ["--case=unshare/NEWNET", "--samples=4", "--probe"]], ids=" ".join)
def test_it_describes_all_that_nsbench_writes(words: list[str], tmp_path: Path) -> None:
    done = subprocess.run([os.environ["NSBENCH"], *words, f"--out={tmp_path / 'run'}", "--quiet"], capture_output=True, text=True,
                          timeout=120, check=False)
    if done.returncode == 3:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    assert wrong(json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8")), whole=True) == []


def test_another_fault_of_an_import_is_a_mistake(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And no package that is called so."""
    from analysis import damage, script
    from lab import compare, page
    for error in (ImportError("no such name", name="jsonschema"), ModuleNotFoundError("No module named 'absent'", name="absent")):
        def fails(*_: object, error: ImportError = error) -> int:
            raise error

        with pytest.raises(SystemExit, match="2"):
            script.main(fails, "compare")
        said = capsys.readouterr().err
        assert "Traceback" in said and "apt-get" not in said
        monkeypatch.setattr(compare, "sides", fails)
        code, _, said = damage.lab("compare", "a", "b")
        assert code == 125 and "Traceback" in said and "apt-get" not in said
        monkeypatch.setattr(page.recorded, "read_all", fails)
        with pytest.raises(ImportError):
            damage.lab("page", RESULTS)


def test_without_the_library_its_package_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from analysis import damage, read, script
    folder = next(recorded())
    modules: dict[str, Any] = sys.modules
    monkeypatch.setitem(modules, "jsonschema", None)
    said = "python3-jsonschema is missing: apt-get install python3-jsonschema\n"
    assert damage.lab("page", folder.parent) == (3, "", f"lab: {said}")
    assert damage.lab("compare", folder, folder) == (125, "", f"lab: {said}")  # before anything is measured
    with pytest.raises(SystemExit, match="3"):
        script.main(lambda _: 0 if read.read_run(folder) else 1, "compare")
    assert capsys.readouterr().err == f"compare: {said}"


def test_what_it_does_not_describe_is_told() -> None:
    record = json.loads((next(recorded()) / "run.json").read_text(encoding="utf-8"))
    record["measuring"]["new"] = record["options"]["seed"] = "1"
    assert wrong(record) == ["$.options.seed: '1' is not of type 'integer'",
                             "$.measuring: Additional properties are not allowed ('new' was unexpected)"]
    del record["overhead"]
    assert "$: 'overhead' is a required property" in wrong(record, whole=True)
