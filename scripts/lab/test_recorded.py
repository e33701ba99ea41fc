"""Tests of the page of recorded runs, of agree and of what a kernel's added cost looks like."""
import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import thorough
from lab import agree, guest, initramfs, packages, page, page_sections, recorded, section_changes
from lab.errors import LabError

PROGRAM = Path(__file__).resolve().parents[1] / "lab.py"
RESULTS = PROGRAM.parents[1] / "results"


def lab(*words: object) -> subprocess.CompletedProcess:
    done = subprocess.run(
        [sys.executable, PROGRAM, *map(str, words)], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return done


def need(things) -> None:
    try:
        things()
    except LabError as error:
        pytest.skip(str(error))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The recorded runs and their page, to be changed; without the profiles, which take some seconds to read."""
    shutil.copytree(RESULTS, tmp_path / "results", ignore=shutil.ignore_patterns("*.xz", "*.svg"))
    return tmp_path / "results"


@pytest.fixture
def whole(copy: Path) -> Path:
    """The same with the profiles."""
    for path in RESULTS.glob("*/exact/stacks.folded.xz"):
        shutil.copy(path, copy / path.relative_to(RESULTS))
    return copy


def scale(folder: Path, factor: float, **which: str) -> None:
    """Multiplies every figure of the rows with these values."""
    with open(folder / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if all(row[name] == value for name, value in which.items()):
            row.update(
                {
                    n: str(float(row[n]) * factor)
                    for n in ("median", "ci_low", "ci_high", "delta", "delta_low", "delta_high")
                    if row[n]
                }
            )
    with open(folder / "results.csv", "w", newline="") as file:
        out = csv.DictWriter(file, rows[0], lineterminator="\n")
        out.writeheader()
        out.writerows(rows)


def folders(directory: Path) -> list[Path]:
    """Of the recorded runs, by their kernels' names, oldest first: without reading them."""
    found = [path.parent for path in directory.glob("*/run.json")]
    return sorted(found, key=lambda folder: [int(number) for number in re.findall(r"\d+", folder.name)[:3]])


def newest(directory: Path) -> Path:
    return folders(directory)[-1]


def test_runs_are_read_oldest_first(copy: Path) -> None:
    assert [run.folder for run in recorded.read_all(copy)] == folders(copy)


def test_the_page_is_checked_against_the_files(whole: Path) -> None:
    for folder in folders(whole)[:-2]:  # two kernels say as much as eleven
        shutil.rmtree(folder)
    assert lab("page", whole).returncode == 0
    assert lab("page", whole, "--check").returncode == 0
    before = (whole / "README.md").read_text()
    scale(newest(whole), 1.5, operation="setns", phase="switch")
    done = lab("page", whole, "--check")
    assert (done.returncode, (whole / "README.md").read_text()) == (1, before)
    assert done.stderr.strip().splitlines() == [
        f"lab: {whole}/README.md is not what the recorded runs give: scripts/lab.py page writes it"
    ]
    assert lab("page", whole).returncode == 0
    assert lab("page", whole, "--check").returncode == 0
    after = (whole / "README.md").read_text()
    assert after.split(page.END)[1] == before.split(page.END)[1] and after != before


def test_the_tables_beside_the_page_are_made_and_checked_with_it(tmp_path: Path) -> None:
    made = {tmp_path / "README.md": "page", tmp_path / "functions" / "NEWUTS.md": "table"}
    with pytest.raises(LabError, match="README.md is not what the recorded runs give"):
        page.check(made, tmp_path)
    page.write(made, tmp_path)
    page.check(made, tmp_path)
    (tmp_path / "functions" / "NEWUTS.md").write_bytes(b"\xff")
    with pytest.raises(LabError, match="NEWUTS.md is not what the recorded runs give"):
        page.check(made, tmp_path)
    page.write(made, tmp_path)
    (tmp_path / "functions" / "NEWOLD.md").write_text("of a run that is gone")
    with pytest.raises(LabError, match="NEWOLD.md is of no recorded run"):
        page.check(made, tmp_path)
    page.write(made, tmp_path)
    page.check(made, tmp_path)
    assert [path.name for path in (tmp_path / "functions").iterdir()] == ["NEWUTS.md"]


def test_a_sentence_stands_only_where_it_holds_for_every_kernel(copy: Path) -> None:
    assert "On every kernel NEWNET is the dearest" in lab("page", copy, "--section=short").stdout
    scale(newest(copy), 1000, operation="clone", phase="create", namespaces="NEWUTS")
    said = lab("page", copy, "--section=short").stdout
    assert "instructions" in said and "dearest" not in said


def test_a_change_counts_only_where_intervals_do_not_meet() -> None:
    run = recorded.read(newest(RESULTS))
    assert page_sections.change(run, run, "unshare", "create")[1:] == (0, 0, 1.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (401, "0.40"),
        (1322, "1.32"),
        (1335, "1.34"),
        (-1345, "−1.35"),
        (9994, "9.99"),
        (9996, "10.0"),
        (65232, "65.2"),
        (99960, "100"),
        (1014992, "1015"),
        (-8640, "−8.64"),
    ],
)
def test_thousands_have_three_digits(value: float, text: str) -> None:
    assert page_sections.k(value) == text


def test_what_cannot_be_a_page_is_one_line(tmp_path: Path, copy: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = lab("page", tmp_path / "empty")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "atlas" in done.stderr
    (copy / "README.md").write_text("# Results\n")
    done = lab("page", copy)
    assert (done.returncode, (copy / "README.md").read_text()) == (2, "# Results\n")
    record = json.loads((newest(copy) / "run.json").read_text())
    folder = newest(copy)
    (folder / "run.json").write_text(json.dumps({**record, "clock": "wall"}))
    done = lab("page", copy)
    assert done.returncode == 2 and "'wall'" in done.stderr


def probe(folder: Path, adds: dict[str, dict[str, float]], memory: list[tuple[str, str, int]]) -> None:
    """A probed run beside a recorded one."""
    shutil.rmtree(folder / "probe", ignore_errors=True)
    (folder / "probe").mkdir()
    cases = [{"case": f"clone/{kinds}/stack:1M", "error": None,
              "adds_to_none": [{"function": name, "self": own} for name, own in of.items()]} for kinds, of in adds.items()]
    (folder / "probe" / "run.json").write_text(json.dumps({"probe": {"cases": cases}}))
    (folder / "probe" / "probe.csv").write_text("case,function,path,calls_per_op,self\nclone/NEWIPC/stack:1M,free_ipc,async,1,100\n")
    lines = [f"clone/{kinds}/stack:1M,{allocator},{count}" for kinds, allocator, count in memory]
    (folder / "probe" / "memory.csv").write_text("\n".join(["case,allocator,bytes_per_op", *lines, ""]))


def test_the_functions_that_make_up_a_kind_are_named(copy: Path) -> None:
    memory = [("NEWUTS", "slab", 512), ("NEWNET", "kmalloc", 102400), ("NEWNET", "kmalloc", 1024), ("NEWNET", "percpu", 3000)]
    for folder in folders(copy):
        probe(folder, {"none": {}, "NEWUTS": {"copy_utsname": 1200, "a": 700, "b": 200}, "NEWNET": {"ops_init": 9e5, "a": 1e4}}, memory)
    lines = lab("page", copy, "--section=functions").stdout.splitlines()
    rows = {line.split("|")[1].strip(): line.split("|")[2].strip() for line in lines if line.startswith("| NEW")}
    for cell in (" 910: ops_init 900 |", " 2.10: copy_utsname 1.20, a 0.70 |"):
        assert sum(cell in line for line in lines) == 1
    assert rows["NEWNET"] == "101 / 0.00 / 2.93" and rows["NEWUTS"] == "0.00 / 0.50 / 0.00" and rows["NEWPID"] == "–"
    assert "- NEWUTS: on every kernel more than half is in copy_utsname, 57%." in lines
    assert "- NEWNET takes the most on every kernel: 101 KiB without percpu, at least 202 times any other kind." in lines
    assert any(line.startswith("| NEWUTS | 6.1.192 | ") and " | 1.20 | " in line for line in lines)
    (newest(copy) / "probe" / "memory.csv").write_text("case\n1\n")
    assert "no whole run with the probe" in lab("page", copy).stderr


def test_without_a_probed_run_there_is_no_such_section(copy: Path) -> None:
    for folder in folders(copy):
        shutil.rmtree(folder / "probe", ignore_errors=True)
    done = lab("page", copy, "--section=functions")
    assert (done.returncode, done.stdout) == (2, "") and "--section=functions" in done.stderr


@pytest.mark.parametrize("text", ["{}", "[]", '{"clock"'])
def test_a_folder_that_is_no_run_of_the_lab_is_one_line(copy: Path, text: str) -> None:
    (newest(copy) / "run.json").write_text(text)
    done = lab("page", copy)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "no run of the lab" in done.stderr


def test_the_bare_loop_s_first_samples_are_left_out() -> None:
    lines = [f"{900 if i % 2 == 0 else 100} {5}" for i in range(20)]
    assert agree.of_loop("\n".join(lines), 0) == 100
    with pytest.raises(LabError, match="9 samples of 10"):
        agree.of_loop("\n".join(lines[:-1]), 0)


def guests() -> None:
    guest.qemu_version()
    initramfs.base()
    packages.fetch(packages.find(["6.1"])[0])


@thorough.only
def test_a_bare_loop_in_the_guest_measures_the_same() -> None:
    """On one machine, held to what the command allows of five: a sampler with two more mappings had 4.5%."""
    need(guests)
    done = lab("agree", "--kernel=6.1", "--machines=1")
    assert done.returncode == 0, done.stdout + done.stderr
    ratios = {
        name: float(ratio)
        for name, ratio in re.findall(r"^(\S+) +create +\d+ +\d+ +([\d.]+)", done.stdout, re.M)
    }
    assert set(ratios) == set(agree.SETS)
    assert all(abs(ratio - 1) <= agree.LIMIT for ratio in ratios.values()), done.stdout


@thorough.only
def test_an_added_cost_is_seen_where_it_is_paid(tmp_path: Path) -> None:
    need(guests)
    cases = "--filter=^unshare/(none|NEWCGROUP|NEWPID|NEWUSER|NEWUTS)$"
    done = lab(
        "compare",
        "6.1",
        "6.1",
        "--append-new=slub_debug=FZP",
        "--phase=create",
        "--machines=3",
        "--format=csv",
        "--out",
        tmp_path,
        "--",
        cases,
        "--samples=10",
    )
    assert done.returncode == 1, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert {row["case"].split("/")[1] for row in rows} == {"NEWCGROUP", "NEWPID", "NEWUSER", "NEWUTS"}
    assert all(float(row["ratio"]) > 1 for row in rows)


def test_the_largest_changes_name_the_function_behind(copy: Path) -> None:
    every = folders(copy)
    for folder, own in zip(every, (1000, *[9000] * len(every))):
        probe(folder, {"none": {}, "NEWPID": {"copy_pid_ns": own, "a": 50}}, [])
    scale(every[0], 0.001, operation="clone", phase="create", namespaces="NEWPID")
    one, other = recorded.read_all(copy)[:2]
    line = next(line for line in lab("page", copy, "--section=changes").stdout.splitlines() if "| NEWPID | create |" in line)
    assert line.startswith(f"| {one.name} | {other.name} |") and line.endswith("| copy_pid_ns (+8.00) |")


def test_a_change_within_what_a_row_varies_by_is_none(copy: Path) -> None:
    every = section_changes.steps(recorded.read_all(copy))
    assert every and all(step.before.differs(step.after) for step in every)
    assert recorded.RecordedFigure(10, 8, 12).differs(recorded.RecordedFigure(15, 13, 17))
    assert not recorded.RecordedFigure(10, 8, 12).differs(recorded.RecordedFigure(13, 11, 15))


def test_a_state_s_folder_holds_that_state(copy: Path) -> None:
    fresh = newest(copy)
    (fresh / "churned").mkdir(exist_ok=True)
    for name in ("run.json", "results.csv"):
        shutil.copy(fresh / name, fresh / "churned" / name)
    done = lab("page", copy)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "its state is 'fresh'" in done.stderr
