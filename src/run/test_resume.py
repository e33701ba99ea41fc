"""What a recorded run says is checked before it is gone on with or summed up; a run that is refused stays as it was."""

import json
import os
import shutil
import subprocess

import pytest

from nsbench_harness import as_user, assert_one_line

LINE = 5  # of samples.csv: the header is line 1, and the first three samples are the warm-up
TIMES = ["5.", "3x456", "nan", "-5", "1e300", "inf", "", "\x01", "9" * 30]
MEMBERS = [("measuring.rounds", -1), ("options.samples", -1), ("options.samples", 0), ("options.samples", None),
           ("options.precision", 1e308), ("options.cpu", 4294967296), ("clock", "foo"), ("options.budget_s", 1e300),
           ("options.selection.filter", "(")]
BROKEN = [("run.json", b"\x01", "run.json:1:1: not JSON"), ("samples.csv", b"\x01", "samples.csv:1: no column 'run_id'")]


@pytest.fixture(name="as_one", scope="module", params=["root", "user"])
def fixture_as_one(request, home):
    """Runs a command as root, or as an ordinary user."""
    if request.param == "user":
        return lambda *command: as_user(home, *command)
    if os.geteuid() != 0:
        pytest.skip("needs root")
    return lambda *command: subprocess.run([*map(str, command)], stdin=subprocess.DEVNULL, capture_output=True,
                                           encoding="utf-8", timeout=60, check=False)


@pytest.fixture(name="command", scope="module")
def fixture_command(as_one, home):
    return lambda *words: as_one(home / "nsbench", *words)


@pytest.fixture(name="recorded", scope="module")
def fixture_recorded(command, home):
    """A whole run of that user."""
    folder = home / "recorded"
    done = command("--op=clone", "--ns=none", "--stack=1M", "--samples=4", "--seed=1", "--lead-in=1", f"--out={folder}")
    if done.returncode == 3:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(name="folder")
def fixture_folder(as_one, recorded, home):
    """A copy of it."""
    folder = home / "run"
    assert as_one("cp", "-a", recorded, folder).returncode == 0
    yield folder
    shutil.rmtree(folder)


def content(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def assert_refused(command, folder, message):
    before = content(folder)
    for words in ([f"--resume={folder}"], ["summary", str(folder)]):
        done = command(*words)
        assert done.returncode == 2, f"{words}: {done.stdout}{done.stderr}"
        assert_one_line(done.stderr)
        assert done.stderr.startswith(f"nsbench: {folder}"), done.stderr
        assert message in done.stderr and done.stderr[:-1].isprintable()
        assert done.stdout == "" and content(folder) == before


def test_no_time_is_taken_from_what_is_none(command, folder):
    samples = folder / "samples.csv"
    whole = samples.read_bytes()
    lines = whole.decode().split("\n")
    column = lines[0].split(",").index("create")
    for time in TIMES:
        fields = lines[LINE - 1].split(",")
        fields[column] = time
        samples.write_text("\n".join([*lines[:LINE - 1], ",".join(fields), *lines[LINE:]]))
        shown = time.replace("\x01", "\\x01")
        assert_refused(command, folder, f'samples.csv:{LINE}: create: "{shown}" is not a time')
    samples.write_bytes(whole)
    assert command("summary", str(folder)).returncode == 0
    assert command(f"--resume={folder}").returncode == 0


def test_no_option_is_taken_that_the_command_line_refuses(command, folder):
    record = folder / "run.json"
    whole = record.read_text()
    for path, value in MEMBERS:
        changed = json.loads(whole)
        *parents, name = path.split(".")
        member = changed
        for parent in parents:
            member = member[parent]
        member[name] = value
        record.write_text(json.dumps(changed))
        where = {"options.selection.filter": "options.selection: filter"}.get(path, f"{path}: ")
        assert_refused(command, folder, "run.json: options.budget_s: " if value is None else f"run.json: {where}")


@pytest.mark.parametrize("counter", ["rounds", "seconds", "warm_up_seconds", "block"])
def test_a_run_that_is_at_its_limit_can_be_read_again(command, folder, counter):
    """What is not finished is gone on with, but not beyond what a file may say."""
    most = 10**9
    info = json.loads((folder / "run.json").read_text())
    info["options"]["samples"] = 8
    if counter != "block":
        info["measuring"][counter] = most
    (folder / "run.json").write_text(json.dumps(info))
    samples = folder / "samples.csv"
    if counter == "block":
        header, *lines = samples.read_text().splitlines()
        last = lines[-1].split(",")
        last[header.split(",").index("block")] = str(most)
        samples.write_text("\n".join([header, *lines[:-1], ",".join(last)]) + "\n")
    for words in ([f"--resume={folder}"], ["summary", str(folder)], [f"--resume={folder}"]):
        done = command(*words)
        assert done.returncode == 0, f"{words}: {done.stderr}"
    assert json.loads((folder / "run.json").read_text())["measuring"]["rounds"] <= most


def test_a_file_with_lines_of_another_system(command, folder):
    samples = folder / "samples.csv"
    samples.write_bytes(samples.read_bytes().replace(b"\n", b"\r\n"))
    assert_refused(command, folder, "samples.csv:1: the line ends in \\r\\n")


@pytest.mark.parametrize(("name", "byte", "message"), BROKEN)
def test_a_byte_that_does_not_belong_there_is_shown_with_its_place(command, folder, name, byte, message):
    path = folder / name
    path.write_bytes(byte + path.read_bytes())
    assert_refused(command, folder, message)


def test_a_file_that_was_cut_off(command, folder):
    path = folder / "samples.csv"
    path.write_bytes(path.read_bytes()[:-2])
    assert_refused(command, folder, "the file ends within this line")


def test_a_line_that_is_missing_at_the_end(command, folder):
    path = folder / "samples.csv"
    lines = path.read_text().splitlines(True)
    path.write_text("".join(lines[:-1]))
    assert_refused(command, folder, f"samples.csv:{len(lines)}: the file ends before this line, and run.json says that it has {len(lines)}")


@pytest.mark.parametrize("left", ["half a li", "half a line\nand", "\n"])
def test_what_a_killed_run_left_behind_its_samples_is_no_part_of_them(as_one, command, folder, left):
    path = folder / "samples.csv"
    whole = path.read_text()
    before = (folder / "results.csv").read_text()
    assert as_one("sh", "-c", f'printf "%s" "$0" >> {path}', left).returncode == 0
    assert command("summary", str(folder)).returncode == 0
    assert (folder / "results.csv").read_text() == before and path.read_text() == whole + left
    assert command(f"--resume={folder}").returncode == 0
    assert path.read_text() == whole


def test_samples_that_are_missing_or_cannot_be_read(as_one, command, folder):
    samples = folder / "samples.csv"
    samples.rename(folder / "samples.csv.aside")
    assert_refused(command, folder, "no samples.csv")
    (folder / "samples.csv.aside").rename(samples)
    samples.chmod(0)
    if as_one("cat", samples).returncode == 0:
        return  # as root does
    assert_refused(command, folder, "open(samples.csv): Permission denied (EACCES)")


def test_a_run_whose_blocks_were_of_other_shapes_is_not_gone_on_with(command, folder):
    """Neither one that does not say, nor one of another table; summing them up is another matter."""
    record = folder / "run.json"
    info = json.loads(record.read_text())
    assert info["measuring"]["block_shapes"] == {"none": {"lead_in": 1, "samples": 1}}
    for shapes, says in (({"none": {"lead_in": 1, "samples": 3}}, "in blocks of 1+3 samples (class none), where this one has 1+1"),
                         (None, "which chose the length of blocks by how busy the machine was")):
        info["measuring"]["block_shapes"] = shapes
        if shapes is None:
            del info["measuring"]["block_shapes"], info["measuring"]["blocks_in_round"]
        record.write_text(json.dumps(info))
        before = content(folder)
        done = command(f"--resume={folder}")
        assert done.returncode == 2 and says in done.stderr and content(folder) == before
        assert_one_line(done.stderr)
        assert command("summary", str(folder)).returncode == 0


@pytest.mark.parametrize("shape", [{"lead_in": 17, "samples": 1}, {"lead_in": 1, "samples": 0}, {"lead_in": 1}])
def test_no_shape_is_taken_that_no_block_can_have(command, folder, shape):
    info = json.loads((folder / "run.json").read_text())
    for name, says in (("none", "run.json: measuring.block_shapes.none"), ("heavy", "heavy")):
        info["measuring"]["block_shapes"] = {name: shape}
        (folder / "run.json").write_text(json.dumps(info))
        assert_refused(command, folder, says)


def changed(folder, **members):
    """run.json with other members; those of the environment have an underscore before their names."""
    info = json.loads((folder / "run.json").read_text())
    for name, value in members.items():
        (info["environment"] if name.startswith("_") else info)[name.lstrip("_")] = value
    (folder / "run.json").write_text(json.dumps(info))
    return info


def test_what_was_said_of_earlier_samples_stays_and_what_changed_is_said(command, folder):
    thp = json.loads((folder / "run.json").read_text())["environment"]["thp"]
    changed(folder, warnings=["the teardown was not seen"], _thp="at noon")
    for _ in range(2):
        done = command(f"--resume={folder}")
        assert done.returncode == 0, done.stderr
        info = json.loads((folder / "run.json").read_text())
        said = [f"--resume: thp was at noon when the earlier samples were taken, and is {thp} now"]
        assert info["warnings"][:2] == ["the teardown was not seen", *said] and info["environment"]["thp"] == thp
        assert len(set(info["warnings"])) == len(info["warnings"])
        assert all(f"warning: {warning}\n" in done.stdout for warning in info["warnings"])


def test_samples_of_another_cpu_are_not_gone_on_with(command, folder):
    changed(folder, _cpu_model="abacus")
    before = content(folder)
    done = command(f"--resume={folder}")
    assert done.returncode == 2 and "was measured on a CPU that is abacus, this is " in done.stderr
    assert_one_line(done.stderr)
    assert content(folder) == before


def test_what_the_probe_and_the_runtimes_told_stays(command, folder):
    members = {"probe": {"backends": {"fork": "kprobe"}, "cases": [0.25, None]}, "runtimes": [{"by": "runc", "calls": {"clone": 3}}]}
    changed(folder, **members)
    assert command(f"--resume={folder}").returncode == 0
    info = json.loads((folder / "run.json").read_text())
    assert {name: info[name] for name in members} == members
