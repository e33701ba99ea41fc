"""The command line: what is selected, what is refused, and how it is said."""

import itertools
import json
import os
import re

import pytest

from nsbench_harness import FLAGS, KINDS, PHASES, RESULT_COLUMNS, assert_refused, list_ids, measure, needs_root, run

SMALL = ("--op=clone", "--ns=none", "--ns=pid", "--stack=1M")
ALL_SETS = {"-".join(kinds) or "none" for size in range(9) for kinds in itertools.combinations(FLAGS, size)}
CONDITIONS = ("mounts", "peers", "netns", "dying", "pidns", "procs", "rss", "fds", "depth", "cgroups")


def parts(case):
    """An id's operation, set, and the rest."""
    operation, namespaces, *rest = case.split("/")
    return operation, namespaces, "/".join(rest)


# what is selected

@pytest.mark.parametrize("selection", [("--op=clone", "--stack=1M"), ("--op=unshare",), ("--op=clone3", "--stack=1M")])
def test_each_call_has_all_256_sets(selection):
    ids = list_ids(*selection)
    assert len(ids) == len(set(ids)) == 256
    assert {parts(case)[1] for case in ids} == ALL_SETS


def test_default_plan():
    """clone and unshare with 256 sets, a stack sweep of ten sets, setns in two ways, proc_remount at each stack."""
    ids = list_ids()
    assert len(ids) == len(set(ids))
    by_operation: dict[str, list[tuple[str, str]]] = {}
    for case in ids:
        operation, namespaces, rest = parts(case)
        by_operation.setdefault(operation, []).append((namespaces, rest))
    assert set(by_operation) == {"clone", "unshare", "setns", "proc_remount"}
    assert {namespaces for namespaces, rest in by_operation["clone"] if rest == "stack:1M"} == ALL_SETS
    assert {namespaces for namespaces, _ in by_operation["unshare"]} == ALL_SETS
    assert set(by_operation["setns"]) == {(flag, f"via:{via}") for flag in FLAGS for via in ("nsfd", "pidfd")}
    stacks = {rest for _, rest in by_operation["clone"]}
    assert {"stack:16K", "stack:1M", "stack:64M"} <= stacks
    for stack in stacks - {"stack:1M"}:
        assert {ns for ns, rest in by_operation["clone"] if rest == stack} == {"none", *FLAGS, "-".join(FLAGS)}
    assert set(by_operation["proc_remount"]) == {("NEWNS-NEWPID", stack) for stack in stacks}


def test_ids_are_made_of_harmless_characters_and_sorted_kinds():
    ids = list_ids() + list_ids("--op=clone3,userns_map")
    for case in ids:
        assert re.fullmatch(r"[A-Za-z0-9/:._-]+", case), case
        kinds = parts(case)[1].split("-")
        assert kinds == ["none"] or (kinds == sorted(set(kinds)) and set(kinds) <= set(FLAGS)), case


PLAN = ("--op=clone", "--stack=1M")


@pytest.mark.parametrize("written, meant", [
    *((name, flag) for name, flag in KINDS.items()), *((flag, flag) for flag in FLAGS),
    *((way, "NEWNET-NEWPID") for way in ("pid,net", "net,pid", "PID-Net", "NEWNET-NEWPID", "newpid,net", "pid-NewNet")),
    ("mnt-pid,uts", "NEWNS-NEWPID-NEWUTS"), ("pid,pid", "NEWPID"), ("none", "none"), ("NONE", "none"),
    ("all", "-".join(FLAGS)), ("ALL", "-".join(FLAGS)), (",".join(KINDS), "-".join(FLAGS)),
])
def test_ways_to_write_a_set(written, meant):
    assert list_ids(*PLAN, f"--ns={written}") == [f"clone/{meant}/stack:1M"]


def test_ns_is_exact_and_repeatable():
    ids = list_ids(*PLAN, "--ns=pid", "--ns=net,mnt", "--ns=PID")
    assert sorted(ids) == ["clone/NEWNET-NEWNS/stack:1M", "clone/NEWPID/stack:1M"]


def test_filter_is_a_search_over_the_plan():
    plan = list_ids()
    for expression in ("NEWPID", "/NEWPID/", "^clone/.*stack:1M$", "via:(nsfd|pidfd)$"):
        assert list_ids(f"--filter={expression}") == [
            case for case in plan if re.search(expression, case) or re.search(expression, case + "/")]
    of_one_set = list_ids("--filter=/NEWPID/")
    assert {parts(case)[1] for case in of_one_set} == {"NEWPID"} and "unshare/NEWPID" in of_one_set


def test_quick_is_each_kind_alone_by_each_operation():
    ids = list_ids("--quick")
    assert ids == [case for case in list_ids() if parts(case)[1] in ("none", *FLAGS, "NEWNS-NEWPID")
                   and parts(case)[2] in ("", "stack:1M", "via:nsfd") and case not in ("clone/NEWNS-NEWPID/stack:1M",
                                                                                       "unshare/NEWNS-NEWPID")]
    assert len(ids) == 9 + 9 + 8 + 1
    assert list_ids("--quick", "--op=unshare", "--ns=pid") == ["unshare/NEWPID"]
    assert_refused(run("--quick", "--full"), "exclude each other")
    assert_refused(run("list", "--quick", "--case=unshare/NEWPID"), "--case")


def test_op_ns_and_filter_narrow_together():
    ids = list_ids("--op=clone,setns", "--ns=pid", "--ns=uts", "--filter=NEWPID")
    assert ids and all(parts(case)[1] == "NEWPID" for case in ids)
    assert {parts(case)[0] for case in ids} == {"clone", "setns"}


def test_stack_and_spawn_replace_the_plans_values():
    assert set(list_ids("--op=clone", "--ns=pid", "--stack=32K,2M")) == {
        "clone/NEWPID/stack:32K", "clone/NEWPID/stack:2M"}
    assert list_ids("--op=clone", "--ns=pid", "--stack=2M", "--spawn=vm") == ["clone/NEWPID/stack:2M/spawn:vm"]
    assert len(list_ids("--op=clone", "--ns=pid", "--stack=16K,2M", "--spawn=fork,vm")) == 4
    assert list_ids("--op=unshare", "--ns=pid", "--stack=2M") == ["unshare/NEWPID"]


def test_help_and_version():
    for args in (("--help",), ("list", "--help"), ("run", "--help"), ("doctor", "--help")):
        result = measure(*args)
        assert result.stderr == "" and "Usage" in result.stdout
    for option in "filter op ns stack spawn budget precision samples seed cpu csv json out resume quiet".split():
        assert f"--{option}" in measure("--help").stdout
    version = measure("--version")
    assert version.stderr == "" and re.fullmatch(r"nsbench \d+\.\d+\S*( \([\w.-]+\))?\n", version.stdout)


def test_the_dictionary_as_json_is_whole():
    """What scripts and the page read instead of lists of their own."""
    said = json.loads(measure("dictionary", "--format=json").stdout)
    assert list(said) == ["files", "columns", "phases", "kinds", "operations", "parameters", "functions", "outputs"]
    markdown = measure("dictionary").stdout
    assert markdown == measure("dictionary", "--format=markdown").stdout
    assert markdown == "\n".join(
        f"### {file}: {about}\n\n| column | unit | meaning |\n|---|---|---|\n"
        + "".join("| {name} | {unit} | {meaning} |\n".format_map(one | {"meaning": one["meaning"].replace("|", r"\|")})
                  for one in said["columns"][file])
        for file, about in said["files"].items())
    assert {one["type"] for file in said["columns"].values() for one in file if one["unit"]} == {"number"}
    assert {one["type"] for file in said["columns"].values() for one in file if not one["unit"]} == {"text"}
    assert [one["name"] for one in said["columns"]["results.csv"]] == RESULT_COLUMNS
    phases = [one["name"] for one in said["phases"]]
    assert sorted(phases) == sorted(PHASES)
    assert [one["name"] for one in said["columns"]["samples.csv"] if one["name"] in phases] == phases
    assert {one["name"]: one["flag"] for one in said["kinds"]} == KINDS
    assert {one["flag"]: one["value"] for one in said["kinds"]}["NEWTIME"] == 0x80
    operations = {one["name"]: one for one in said["operations"]}
    assert operations["setns"] == {"name": "setns", "planned": True, "phases": ["switch"],
                                   "parameters": ["via", *CONDITIONS, "parallel", "workers", "twin"]}
    stack, *vias = [one for one in said["parameters"] if one["key"] in ("stack", "via")]
    assert (stack["type"], stack["default"], stack["least"], stack["most"]) == ("size", "1M", "16K", "1G")
    assert [(one["default"], one["choices"], one["operations"]) for one in vias] == [
        ("nsfd", ["nsfd", "pidfd"], ["setns"]), ("mount", ["mount", "fsmount"], ["proc_remount"]),
        ("clone", ["clone", "unshare", "opentree", "empty", "fsmount"], ["mount_ns"]), ("migrate", ["migrate", "into"], ["cgroup"]),
        ("proc", ["proc", "statmount"], ["mountinfo"])]
    for one in said["parameters"]:
        assert one["meaning"] and all(one["key"] in operations[name]["parameters"] for name in one["operations"])
    assert {"name": "copy_net_ns", "kind": "net", "path": "create"} in said["functions"]
    text = " ".join(measure("--help").stdout.split())
    for output in said["outputs"]:  # each is in the help, by its option or among what --out writes
        assert f"--{output['option']} FILE|- {output['meaning']}" in text if output["option"] else output["file"] in text
    of_loads = {"churn.csv", "bursts.csv", "batches.csv"}
    assert {output["file"] for output in said["outputs"]} >= {"run.json", *said["files"]} - of_loads


# what is refused

@pytest.mark.parametrize("args, nearest", [
    (("--ns=pidd",), "pid"), (("--ns=nett",), "net"), (("--ns=NEWPDI",), "NEWPID"), (("list", "--ns=mmt,pid"), "mnt"),
    (("--filtr=x",), "--filter"), (("--precison=5%",), "--precision"), (("list", "--stak=1M"), "--stack"),
    (("--op=clonee",), "'clone'"), (("--op=unshar",), "unshare"), (("--spawn=frok",), "fork"),
    (("--sort=medain",), "median"), (("--clock=instuctions",), "instructions"),
    (("benchmark", "--benchmark_format=jsn"), "json"), (("benchmark", "--benchmark_out_format=consol"), "console"),
])
def test_misspelt_name_gets_its_nearest_match(args, nearest):
    written = args[-1].partition("=")[0 if nearest.startswith("--") else 2] or args[-1]
    assert_refused(run(*args), "nearest", nearest, written.split(",")[0])


@pytest.mark.parametrize("command", [("list",), ()])
@pytest.mark.parametrize("args", [
    "--filter=(", "--filter=[z", "--filter=*", "--filter=matches-nothing", "--ns=time --op=proc_remount",
    "--stack=0", "--stack=1", "--stack=3.5K", "--stack=1T", "--stack=-1M", "--stack=x", "--stack=99999999999999999999",
    "--op=nothing-like-it", "--ns=nothing-like-it", "--nothing-like-it", "--ns=", "--spawn=thread",
])
def test_bad_selection(command, args):
    mentions = [] if "filter" in args or " " in args else [args.strip("-").partition("=")[0], args.partition("=")[2]]
    assert_refused(run(*command, *args.split()), *mentions)


@pytest.mark.parametrize("option, value", [
    ("budget", "-3s"), ("budget", "0s"), ("budget", "10"), ("budget", "10parsecs"), ("budget", "nan"),
    ("precision", "0%"), ("precision", "200%"), ("precision", "-1%"), ("precision", "x"),
    ("samples", "0"), ("samples", "-1"), ("samples", "1.5"), ("seed", "x"),
    ("cpu", "99999"), ("cpu", "-1"), ("cpu", "x"),
])
def test_bad_value_names_option_and_value(option, value):
    assert_refused(run(f"--{option}={value}", *SMALL), option, value)


@pytest.mark.parametrize("args", [("--version-of-what",), ("list", "a-word"), ("run", "a-word"), ("doctor", "a-word")])
def test_bad_words(args):
    assert_refused(run(*args), f"'{args[-1]}'")


def test_a_dictionary_has_two_formats():
    assert "--format" in measure("dictionary", "--help").stdout
    for word in ("csv", "JSON"):
        assert_refused(run("dictionary", f"--format={word}"), f"--format={word}", "accepted is markdown or json")
    assert_refused(run("dictionary", "--format=jsn"), "nearest", "json")


def test_standard_output_is_for_one_text():
    for word in ("csv", "JSON"):
        assert_refused(run(*SMALL, f"--format={word}"), f"--format={word}", "accepted is text, markdown or json")
    assert_refused(run(*SMALL, "--format=json", "--csv=-"), "--format=json", "standard output")


@pytest.mark.parametrize("content", [
    None, "", "no json", "[]", "{}", '{"context": {}, "benchmarks": []}', '{"schema_version": 1, "run_id": 5}',
    json.dumps({"schema_version": 999999, "run_id": "x", "options": {}}),
])
def test_resume_of_a_foreign_folder(content, tmp_path):
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    (tmp_path / "results.csv").write_text("not,ours\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert_refused(run(f"--resume={tmp_path}"), str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_resume_of_a_missing_folder(tmp_path):
    assert_refused(run(f"--resume={tmp_path}/missing"), f"{tmp_path}/missing")
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("selection", ["--op=clone", "--ns=pid", "--filter=pid", "--stack=1M", "--spawn=vm"])
def test_resume_takes_no_selection(selection, tmp_path):
    measure(*SMALL, "--samples=3", f"--out={tmp_path}/run")
    assert_refused(run(f"--resume={tmp_path}/run", selection))


# single cases, blocks of one's own, states

def test_a_case_is_named_by_its_id():
    assert list_ids("--case=clone/NEWNET-NEWPID/stack:16K", "--case=clone3/none/stack:1M/pidfd:yes") == [
        "clone/NEWNET-NEWPID/stack:16K", "clone3/none/stack:1M/pidfd:yes"]
    assert_refused(run("list", "--case=clone/NEWPIT/stack:1M"), "NEWPIT")
    assert_refused(run("list", "--case=unshare/none", "--ns=pid"), "--case")


def test_bases_stand_behind_the_plan():
    assert list_ids("--case=unshare/NEWUTS", "--bases") == ["unshare/NEWUTS", "unshare/none"]
    assert list_ids("--case=unshare/none", "--bases") == ["unshare/none"]


@pytest.mark.parametrize(("option", "word"), [("--block=0", "block"), ("--lead-in=17", "lead-in"), ("--state=a b", "state")])
def test_shapes_and_states_have_limits(option, word):
    assert_refused(run(option), f"--{word}")


@needs_root
def test_the_shape_of_blocks_is_kept(tmp_path):
    """Blocks of two behind one that does not count, no base, and a name for the state."""
    out = tmp_path / "run"
    done = run("--case=unshare/NEWUTS", "--samples=6", "--block=2", "--lead-in=1", "--alone", "--state=mine", f"--out={out}")
    assert done.returncode == 0, done.stderr
    lines = (out / "samples.csv").read_text().splitlines()
    header, rows = lines[0].split(","), [line.split(",") for line in lines[1:]]
    shape = [(row[header.index("round")], row[header.index("counted")]) for row in rows]
    assert shape == [("0", "0")] * 2 + [(str(n), counted) for n in (1, 2, 3) for counted in "011"]
    assert {row[header.index("case")] for row in rows} == {"unshare/NEWUTS"}
    record = json.loads((out / "run.json").read_text())
    assert (record["state"], record["options"]["block"], record["options"]["lead_in"]) == ("mine", 2, 1)
    measuring = record["measuring"]
    assert (measuring["lead_in_samples"], measuring["samples_per_block"], measuring["blocks_in_round"]) == (1, 2, 1)
    assert measuring["block_shapes"] == {"none": {"lead_in": 1, "samples": 2}}


@needs_root
def test_the_shape_of_blocks_is_that_of_what_they_leave_behind(tmp_path):
    """However long the warm-up took."""
    out = tmp_path / "run"
    done = run("--op=unshare", "--ns=uts", "--ns=pid", "--ns=net", "--budget=4s", "--precision=0.001%", f"--out={out}")
    assert done.returncode == 0, done.stderr
    record = json.loads((out / "run.json").read_text())
    measuring = record["measuring"]
    assert (record["options"]["block"], record["options"]["lead_in"]) == (None, None)
    assert (measuring["lead_in_samples"], measuring["samples_per_block"], measuring["blocks_in_round"]) == (None, None, 6)
    assert list(measuring["block_shapes"]) == ["none", "light", "net"]
    lines = (out / "samples.csv").read_text().splitlines()
    at = {name: i for i, name in enumerate(lines[0].split(","))}
    blocks: dict[tuple[str, str], str] = {}
    for row in (line.split(",") for line in lines[1:]):
        if row[at["round"]] != "0":
            key = row[at["case"]], row[at["block"]]
            blocks[key] = blocks.get(key, "") + row[at["counted"]]
    for case, kind in (("unshare/none", "none"), ("unshare/NEWUTS", "none"), ("unshare/NEWPID", "light"), ("unshare/NEWNET", "net")):
        shape = measuring["block_shapes"][kind]
        assert {of for (whose, _), of in blocks.items() if whose == case} == {"0" * shape["lead_in"] + "1" * shape["samples"]}


@needs_root
def test_a_summary_gives_the_rows_again(tmp_path):
    out = tmp_path / "run"
    measured = run("--case=unshare/NEWUTS", "--case=setns/NEWUTS/via:nsfd", "--samples=20", f"--out={out}", "--seed=1")
    assert measured.returncode == 0, measured.stderr
    rows = (out / "results.csv").read_text()
    (out / "results.csv").unlink()
    again = run("summary", str(out))
    assert (again.returncode, again.stderr) == (0, "")
    assert (out / "results.csv").read_text() == rows
    table = measured.stdout.split("\n\n", 1)[1]
    assert again.stdout.split("\n\n", 1)[1] == table
    assert_refused(run("summary"), "folder")
    assert_refused(run("summary", str(tmp_path)), "not a run")


def test_variables_of_google_benchmark_change_no_run(tmp_path):
    """Its library measures the blocks: a warm-up of its own would take more samples than there are."""
    variables = {"BENCHMARK_MIN_WARMUP_TIME": "0.001", "BENCHMARK_REPETITIONS": "3", "BENCHMARK_OUT": f"{tmp_path}/out.json",
                 "BENCHMARK_LIST_TESTS": "true", "BENCHMARK_ENABLE_RANDOM_INTERLEAVING": "true", "BENCHMARK_FILTER": "nothing"}
    lines = []
    for name, environment in (("without", os.environ), ("with", {**os.environ, **variables})):
        measure(*SMALL, "--samples=4", "--lead-in=1", "--block=2", f"--out={tmp_path}/{name}", env=environment)
        lines.append((tmp_path / name / "samples.csv").read_text().count("\n"))
    assert lines[0] == lines[1] and not (tmp_path / "out.json").exists()


def test_the_guest_s_part_is_for_guests():
    assert_refused(run("guest"), "ENOENT", "scripts/lab.py", code=3)
