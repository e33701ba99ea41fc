"""nsbench in hostile surroundings (faults/surroundings.py), and what judges it against programs that do not hold.

scripts/validate.py surroundings tries all jobs in all of them. Here the doctor, which measures for 5 s, is left out, and where all is
expected to go well only the run is tried.
"""
import os
import re
from pathlib import Path

import pytest

from analysis.script import Unreadable
from faults import capabilities, hostile, stage
from faults.stage import Ran
from faults.surroundings import EXEC, LIST, MEASURE, TABLE, VERIFY, Expected

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces in which surroundings are made")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", name="whole")
def fixture_whole():
    """What runs tell where nothing is hostile."""
    from nsbench_harness import binary
    try:
        with hostile.whole_runs(Path(binary()), hostile.QUICK) as whole:
            yield whole
    except Unreadable as unreadable:
        pytest.skip(str(unreadable)) if "no namespaces of its own" in str(unreadable) else pytest.fail(str(unreadable))


@needs_root
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_nsbench_holds_in(row, whole):
    from nsbench_harness import binary
    outcome = hostile.tried(Path(binary()), row, hostile.QUICK if row.expected else (MEASURE,), whole)
    if isinstance(outcome, str):
        pytest.skip(outcome)
    assert outcome and not {name: wrong for name, (_, wrong) in outcome.items() if wrong}


@needs_root
def test_the_table_of_capabilities_is_true():
    """bench/README.md's: of one that it names, without which the sampler once ended, and of all that it does not name at once; each in
    turn by scripts/validate.py surroundings --capabilities, which would take a minute."""
    from nsbench_harness import binary
    documented = capabilities.documented((ROOT / "bench/README.md").read_text(encoding="utf-8"))
    seen = capabilities.tried(Path(binary()), ["CAP_SYS_CHROOT", capabilities.OTHERS], documented)
    if isinstance(seen, str):
        pytest.skip(seen)
    assert seen.rows.pop(capabilities.OTHERS) == capabilities.NOTHING
    if not seen.rows:
        pytest.skip("this root has no CAP_SYS_CHROOT to drop")
    assert not capabilities.differing(documented, seen)


def test_each_surrounding_has_a_name_of_its_own_and_tests_that_are_there():
    assert len({row.name for row in TABLE}) == len(TABLE)
    for row in TABLE:
        for path in re.findall(r"\S+\.py", row.elsewhere):
            assert (ROOT / "src" / path).exists(), path
        assert row.expected.keys() <= {work.name for work in (*hostile.QUICK, hostile.WORKS[-1])}


# the judge

GOOD = Ran(0, "a\nb\n", "", 0.1, "", ())
WHOLE = {"a": "", "b": ""}


@pytest.mark.parametrize("ran, expected, wrong", [
    (GOOD, Expected(), None),
    (Ran(0, "a\n", "", 0.1, "", ()), Expected(), "lacking: b: absent"),
    (Ran(0, "a\n", "", 0.1, "", ()), Expected(None, "", "b"), None),
    (GOOD, Expected(None, "", "b"), "nothing is lacking"),
    (Ran(1, "a\nb\n", "", 0.1, "", ()), Expected(), "exit code 1, not 0"),
    (Ran(0, "a\nb\n", "warning\n", 0.1, "", ()), Expected(), "it says 'warning'"),
    (Ran(0, "a\nb\n", "", 0.1, "", ("a process: sleep",)), Expected(), "left a process: sleep"),
    (Ran(3, "", "nsbench: open: EMFILE: ulimit -n 1024\n", 0.1, "", ()), Expected(3, "EMFILE.*ulimit"), None),
    (Ran(3, "", "nsbench: it went wrong\n", 0.1, "", ()), Expected(3, "EMFILE.*ulimit"), "without 'EMFILE"),
    (Ran(3, "", "", 0.1, "", ()), Expected(3, "EMFILE"), "does not say why"),
    (Ran(3, "", "EMFILE\nEMFILE\n", 0.1, "", ()), Expected(3, "EMFILE"), "more than one line"),
    (Ran(1, "", "EMFILE\n", 0.1, "", ()), Expected(3, "EMFILE"), "exit code 1, not 3"),
    (Ran(0, "a\nb\nterminate called\n", "", 0.1, "", ()), Expected(), "a crash"),
    (Ran(stage.HUNG, "a\nb\n", "", 60.0, "", ()), Expected(), "had not ended"),
])
def test_what_falls_short(ran, expected, wrong):
    found = hostile.shortfalls(LIST, expected, ran, WHOLE)
    assert (not found) if wrong is None else found and wrong in "; ".join(found), found


def test_a_reason_is_held_to_the_pattern_too():
    rows = "check,verdict,reason\nhostname,skipped,sethostname: EPERM\nunseen,passed,\n"
    whole = {"hostname": "", "unseen": ""}
    ran = Ran(0, rows, "", 0.1, "", ())
    assert not hostile.shortfalls(VERIFY, Expected(None, "EPERM", "hostname"), ran, whole)
    assert "without 'ENOSYS'" in hostile.shortfalls(VERIFY, Expected(None, "ENOSYS", "hostname"), ran, whole)[0]


def test_a_build_without_its_sampler_is_no_surrounding_that_is_skipped(tmp_path):
    (tmp_path / "nsbench").touch()
    with pytest.raises(Unreadable, match="nsbench-sampler is not there"):
        stage.played(tmp_path / "nsbench", (EXEC,))


@needs_root
@pytest.mark.parametrize("script, wrong", [
    ("mount -t tmpfs none /mnt; echo inside; exit 7", "left mounts"),
    ("hostname nsb-hostile; echo inside; exit 7", "left hostname"),
    ("sleep 61.25 >/dev/null 2>&1 & echo inside; exit 7", "left a process: sleep"),
])
def test_what_a_program_leaves_is_seen(script, wrong, tmp_path):
    for name in ("nsbench", stage.SAMPLER):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    told = stage.played(tmp_path / "nsbench", (EXEC,))
    if isinstance(told, str):
        pytest.skip(told)
    assert wrong in "; ".join(hostile.shortfalls(EXEC, Expected(), told["exec"], {"inside": ""}))
