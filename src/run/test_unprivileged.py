"""An ordinary user measures through a user namespace, or is told which setting stands in the way."""

import json
import re
import shutil

import pytest

from nsbench_harness import as_user, assert_one_line, list_ids, read_csv

SELECTION = ("--op=clone,unshare", "--ns=none", "--ns=pid", "--ns=net", "--stack=1M")


@pytest.fixture(name="user_namespaces")
def fixture_user_namespaces(home):
    probe = as_user(home, "unshare", "-U", "-r", "true")
    if probe.returncode:
        pytest.skip(f"an ordinary user cannot make user namespaces here: {probe.stderr.strip()}")


@pytest.fixture(name="forbidding")
def fixture_forbidding(home, user_namespaces):  # pylint: disable=unused-argument
    """A command's beginning under which no further user namespace can be made; the host's setting stays."""
    prefix = ["unshare", "-U", "-r", "sh", "-c",
              'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --inh-caps=-all --bounding-set=-all "$@"',
              "sh"]
    if not shutil.which("setpriv"):
        pytest.skip("no setpriv: util-linux is not installed")
    probe = as_user(home, *prefix, "true")
    if probe.returncode:
        pytest.skip(f"the limit of a user namespace cannot be lowered here: {probe.stderr.strip()}")
    assert as_user(home, *prefix, "unshare", "-U", "true").returncode != 0, "the limit has no effect"
    return prefix


@pytest.mark.usefixtures("user_namespaces")
def test_measures_through_a_user_namespace(home):
    result = as_user(home, home / "nsbench", *SELECTION, "--samples=12", f"--out={home}/out")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    rows = read_csv(home / "out" / "results.csv")
    sets = {(row["operation"], row["namespaces"]) for row in rows}
    for operation in ("clone", "unshare"):
        assert {(operation, "NEWPID-NEWUSER"), (operation, "NEWNET-NEWUSER")} <= sets
        assert (operation, "NEWPID") not in sets and (operation, "NEWNET") not in sets
    for row in rows:
        if row["phase"] == "drain":  # "where it can be seen", which may take root
            assert row["median"] or row["reason"]
        else:
            assert row["status"] in ("ok", "imprecise") and float(row["median"]) > 0, row
        assert row["case"].split("/")[1] == row["namespaces"]
        assert row["case"] in result.stdout
    # What is measured in any case is in no difference: NEWUSER serves them, and is no row.
    deltas = {row["case"]: row["base"] for row in rows if row["phase"] == "create"}
    assert deltas == {"clone/none/stack:1M": "", "clone/NEWPID-NEWUSER/stack:1M": "clone/NEWUSER/stack:1M",
                      "clone/NEWNET-NEWUSER/stack:1M": "clone/NEWUSER/stack:1M", "unshare/none": "",
                      "unshare/NEWPID-NEWUSER": "unshare/NEWUSER", "unshare/NEWNET-NEWUSER": "unshare/NEWUSER"}
    assert all((row["delta"] != "") == (row["base"] != "") for row in rows)
    assert "adds to NEWUSER" in result.stdout and "adds to none" not in result.stdout
    assert re.search(r"^NEWUSER takes: clone create [\d.]+ µs, unshare create ", result.stdout, re.M), result.stdout
    for operation in ("clone", "unshare"):
        assert f"{operation} · create: what each kind adds to NEWUSER" in result.stdout
    assert json.loads((home / "out" / "run.json").read_text())["base_set"] == "NEWUSER"
    notes = [line for line in result.stdout.splitlines() if "user namespace" in line and "NEWUSER" in line]
    assert len([line for line in notes if "warning" in line]) == 1, "one warning says that each set includes NEWUSER"


@pytest.mark.usefixtures("user_namespaces")
def test_sets_that_become_the_same_are_measured_once(home):
    result = as_user(home, home / "nsbench", "--op=clone", "--ns=pid", "--ns=pid,user", "--ns=user", "--stack=1M",
                     "--samples=12", "--csv=same.csv")
    assert result.returncode == 0, result.stdout + result.stderr
    keys = [(row["case"], row["phase"]) for row in read_csv(home / "same.csv")]
    assert len(keys) == len(set(keys))
    assert {case for case, _ in keys} == {"clone/NEWPID-NEWUSER/stack:1M", "clone/NEWUSER/stack:1M"}


@pytest.mark.usefixtures("user_namespaces")
def test_what_an_earlier_run_compared_with_stays(home):
    """It had `none` for a base, and no word of it in run.json."""
    run = home / "earlier"
    result = as_user(home, home / "nsbench", "--op=unshare", "--ns=none", "--ns=pid", "--ns=user", "--samples=12",
                     "--seed=1", f"--out={run}")
    assert result.returncode == 0, result.stdout + result.stderr

    def bases():
        rows = read_csv(run / "results.csv")
        return {row["case"]: row["base"] for row in rows if row["phase"] == "create"}

    assert bases() == {"unshare/none": "", "unshare/NEWUSER": "", "unshare/NEWPID-NEWUSER": "unshare/NEWUSER"}
    text = (run / "run.json").read_text()
    assert text.count('  "base_set": "NEWUSER",\n') == 1
    (run / "run.json").write_text(text.replace('  "base_set": "NEWUSER",\n', ""))
    for again in (("summary", str(run)), (f"--resume={run}",)):
        result = as_user(home, home / "nsbench", *again)
        assert result.returncode == 0, result.stdout + result.stderr
        assert "adds to none" in result.stdout
        assert bases() == {"unshare/none": "", "unshare/NEWUSER": "unshare/none", "unshare/NEWPID-NEWUSER": "unshare/none"}


@pytest.mark.usefixtures("user_namespaces")
def test_every_operation_is_measured_or_says_why_not(home):
    result = as_user(home, home / "nsbench", "--op=clone,clone3,unshare,setns,proc_remount,userns_map", "--ns=mnt",
                     "--ns=mnt,pid", "--ns=user", "--ns=all", "--stack=1M", "--samples=4", "--csv=each.csv")
    assert result.returncode in (0, 1), result.stdout + result.stderr
    rows = read_csv(home / "each.csv")
    assert {row["operation"] for row in rows} == {"clone", "clone3", "unshare", "setns", "proc_remount", "userns_map"}
    for row in rows:
        if row["status"] in ("skipped", "failed"):
            assert row["errno"] and row["reason"] and not row["median"]
        else:
            assert float(row["median"]) > 0
    assert (result.returncode == 1) == any(row["status"] == "failed" for row in rows)


@pytest.mark.usefixtures("user_namespaces")
def test_containers_start_through_a_user_namespace(home):
    """Ours with its id maps, theirs in a sandbox inside another one; what cannot be had says why."""
    result = as_user(home, home / "nsbench", "--op=container,runtime", "--samples=4", f"--out={home}/container")
    assert result.returncode == 0, result.stdout + result.stderr
    rows = read_csv(home / "container" / "results.csv")
    namespaces = "NEWCGROUP-NEWIPC-NEWNET-NEWNS-NEWPID-NEWUSER-NEWUTS"
    assert {row["namespaces"] for row in rows} == {namespaces}
    ours = {row["phase"]: row for row in rows if row["case"] == f"container/{namespaces}"}
    for phase in ("start", "maps", "hostname", "root", "proc", "lo", "pivot", "exec", "exit", "total"):
        assert float(ours[phase]["median"]) > 0, ours[phase]
    unshare = next(row for row in rows if row["case"].endswith("by:unshare"))
    assert float(unshare["median"]) > 0 and unshare["delta"], unshare
    for row in rows:
        assert row["median"] or row["reason"], row


@pytest.mark.usefixtures("user_namespaces")
def test_ways_are_measured_through_a_user_namespace(home):
    """Their blocks are in a user namespace, with the tree or the outer end in it; cgroups may be nobody's to make."""
    result = as_user(home, home / "nsbench", "--op=mount_ns,cgroup,veth,mountinfo", "--samples=4", "--csv=ways.csv")
    assert result.returncode == 0, result.stdout + result.stderr
    rows = read_csv(home / "ways.csv")
    assert {row["namespaces"] for row in rows} == {"NEWNS-NEWUSER", "NEWNET-NEWUSER", "none"}
    for row in rows:
        assert row["median"] or row["status"] == "skipped" and row["errno"] and row["reason"], row
    measured = {row["case"] for row in rows if row["median"]}
    assert {f"mount_ns/NEWNS-NEWUSER/via:{via}" for via in ("clone", "unshare")} <= measured
    assert "mountinfo/none/via:proc" in measured


def test_listing_needs_no_rights(home):
    result = as_user(home, home / "nsbench", "list", "--op=clone", "--stack=1M")
    assert result.returncode == 0 and result.stderr == ""
    listed = result.stdout.splitlines()
    assert len(list_ids("--op=clone", "--stack=1M")) == 256
    assert len(listed) == len(set(listed)) == 1 + 128, "none, and the sets with NEWUSER"
    assert "clone/NEWPID-NEWUSER/stack:1M" in listed and "clone/NEWPID/stack:1M" not in listed
    for_root = as_user(home, home / "nsbench", "list", "--op=clone", "--stack=1M", "--as-root")
    assert for_root.stdout.splitlines() == list_ids("--op=clone", "--stack=1M")


@pytest.mark.usefixtures("user_namespaces")
def test_what_is_listed_is_what_is_measured(home):
    selection = ("--op=unshare,setns,proc_remount", "--quick")
    listed = as_user(home, home / "nsbench", "list", *selection).stdout.split()
    result = as_user(home, home / "nsbench", *selection, "--samples=2", "--csv=listed.csv")
    assert result.returncode == 0, result.stdout + result.stderr
    assert {row["case"] for row in read_csv(home / "listed.csv")} == set(listed)


def test_refused_user_namespaces_name_the_setting(home, forbidding):
    result = as_user(home, *forbidding, home / "nsbench", *SELECTION, "--samples=12", f"--out={home}/refused")
    assert result.returncode == 3, result.stdout + result.stderr
    assert_one_line(result.stderr)
    assert "user.max_user_namespaces" in result.stderr
    assert not (home / "refused" / "results.csv").exists()


def test_refused_user_namespaces_still_list_and_help(home, forbidding):
    for args in (("list",), ("--help",), ("--version",)):
        result = as_user(home, *forbidding, home / "nsbench", *args)
        assert result.returncode == 0 and result.stderr == "", f"{args}: {result.stderr}"
