"""nsbench in the hostile surroundings that only a guest can make (faults/guest_rows.py): scripts/validate.py surroundings tries the
doctor there, too."""
import json
from pathlib import Path

import pytest

import thorough
from faults import guest_rows, guests, hostile
from faults.guest_rows import BUDGET, CPUS, DAY, RUN, YEAR, Guested
from faults.stage import HUNG


TRIED = thorough.of([row for row in guest_rows.GUESTS if row.boot == guest_rows.PLAIN], list(guest_rows.GUESTS))


@pytest.fixture(scope="module", name="outcomes")
def fixture_outcomes():
    """Of these rows, in one guest for each boot."""
    from nsbench_harness import binary
    return guests.tried(Path(binary()), TRIED, hostile.QUICK)


@pytest.mark.parametrize("name", [row.name for row in TRIED])
def test_nsbench_holds_in(name, outcomes):
    outcome = outcomes[name]
    if isinstance(outcome, str):
        pytest.skip(outcome)
    assert outcome and not {job: wrong for job, (_, wrong) in outcome.items() if wrong}


# what a guest sends

ROW = Guested("row", guest_rows.PLAIN, works=(RUN,), wrong=guest_rows.clock_set)
SENT = {f"{row}.measure.{name}": text for row in ("row", "alone-met")
        for name, text in {"times": b"100.5 103.0", "code": b"0", "results.csv": b"case,phase,status,median\n"}.items()}


@pytest.mark.parametrize("sent, code, wrong", [
    ({}, 0, "rounds.csv, samples.csv, run.json missing or empty"),
    ({"row.measure.code": b""}, guests.UNKNOWN, "row.measure: the guest did not send how it ended"),
    ({"row.measure.times": b"100.5"}, guests.UNKNOWN, "row.measure: the guest did not send how it ended"),
    ({"alone-met.measure.code": b""}, guests.UNKNOWN, "alone-met.measure: the guest did not send how it ended"),
    ({"row.measure.code": b"137"}, 137, "exit code 137, not 0"),
    ({"row.measure.code": b"137", "row.measure.times": b"1 250"}, HUNG, "had not ended after 249 s"),
])
def test_what_did_not_come_whole_is_said_in_a_line(sent, code, wrong):
    found = guests.judged(SENT | sent, ROW)["measure"]
    assert found[0] == code and len(found[1]) == 1 and wrong in found[1][0], found


def test_lockdown_that_took_no_effect_is_seen():
    assert not guest_rows.is_open({"lockdown": "none integrity [confidentiality]\n"})
    assert guest_rows.is_open({"lockdown": "[none] integrity confidentiality\n"}) and guest_rows.is_open({"lockdown": ""})


# the judge of runs that were met in their middle

def files(rounds, seconds=BUDGET + 1.0, took=BUDGET + 60.0, held=str(CPUS - 1), longest=1):
    """Of a run with these rounds: what each has beside a usual one."""
    rows = [{"begin": "100", "seconds": "1", "disturbed": "", "suspended": "0", "moved": "0"} | more for more in rounds]
    text = "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]) + "\n"
    return {"rounds.csv": text, "run.json": json.dumps({"measuring": {"seconds": seconds}}), "took": str(took), "held": f"{held}\n",
            "samples.csv": f"create,total\n1,{longest}\n"}


STEPS = [{"begin": "100"}, {"begin": str(100 + YEAR)}, {"begin": str(100 + YEAR - DAY)}]
ASLEEP = [{}, {"disturbed": "suspended", "suspended": "3.5"}, {}]
AWAY = [{}, {"disturbed": "off its CPU", "moved": "7"}, {}]


@pytest.mark.parametrize("judge, run, wrong", [
    (guest_rows.clock_set, files(STEPS), ""),
    (guest_rows.clock_set, files(STEPS[:2]), "was not set"),
    (guest_rows.clock_set, files(STEPS, seconds=1.0), "of a budget"),
    (guest_rows.clock_set, files([*STEPS, {"seconds": str(YEAR)}]), "its rounds took"),
    (guest_rows.suspended, files(ASLEEP), ""),
    (guest_rows.suspended, files([{}]), "no round is said"),
    (guest_rows.suspended, files(ASLEEP, longest=4 * 10**9), "a sample took 4.0 s"),
    (guest_rows.suspended, files(ASLEEP, seconds=9.0, took=10.0), "of a budget"),
    (guest_rows.offline, files(AWAY), ""),
    (guest_rows.offline, files([{}]), "no round is said"),
    (guest_rows.offline, files(AWAY, held="0-1"), "held to CPU 0-1"),
    (guest_rows.offline, files([*AWAY, {"moved": "1"}]), "held to CPU"),
])
def test_what_is_wrong_with_a_run_that_was_met(judge, run, wrong):
    found = judge(run)
    assert (not found) if not wrong else found and wrong in "; ".join(found), found
