"""Tests of plot.py, of what plots and pages share, and of the words on a run."""
import csv
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="python3-pandas is missing")
pytest.importorskip("matplotlib", reason="python3-matplotlib is missing")
import pandas as pd

from analysis import (kinds, page, plot_style, plots, plots_curves, plots_probe, plots_times, read, script, stacks, summary,
                      tables)
from analysis.fixtures import completed, result_row, write_run
from analysis.fixtures_full import full_run

SCRIPTS = Path(__file__).resolve().parents[1]


def plot(*arguments: object) -> subprocess.CompletedProcess[str]:
    return completed(SCRIPTS / "plot.py", arguments)


def test_every_plot_of_a_full_run(tmp_path: Path) -> None:
    made = plot(full_run(tmp_path / "base"), "-o", tmp_path / "plots", "--format=svg")
    assert (made.returncode, made.stderr) == (0, "")
    names = {Path(line).stem for line in made.stdout.splitlines()}
    assert names == {
        "a-sets-clone",
        "a-sets-unshare",
        "b-kinds-clone",
        "b-kinds-unshare",
        "c-stack-clone",
        "c-stack-proc_remount",
        "d-distributions-clone",
        "d-distributions-unshare",
        "e-phases",
        "g-functions",
        "g-icicle",
        "h-memory",
        "i-curve-stack-clone-create",
        "i-curve-stack-proc_remount-mount",
    }
    for name in names:
        text = (tmp_path / f"plots/{name}.svg").read_text()
        shown = re.sub(r"\s+", " ", " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", text)))
        assert "base · kernel 6.1.0" in shown and "id-base" in shown, name  # whose it is
        assert "µs" in shown or "KiB" in shown, name  # in what unit


def test_kernels_and_the_same_bytes_again(tmp_path: Path) -> None:
    """In two processes: each has its own order of what is hashed."""
    runs = [
        full_run(tmp_path / name, clock="instructions", factor=factor, probed=False, samples=3, kernel=name)
        for name, factor in (("6.1.0", 1), ("6.12.1", 1.2))
    ]
    csv = runs[1] / "results.csv"
    csv.write_text(csv.read_text().replace(",6.1.0,", ",6.12.1,"))
    for folder in ("one", "two"):
        made = subprocess.run([SCRIPTS / "plot.py", *runs, "-o", tmp_path / folder, "--only=f", "--format=svg"],
                              capture_output=True, text=True, timeout=300)
        assert (made.returncode, made.stderr) == (0, "")
    for name in ("f-kernels-clone.svg", "f-kernels-unshare.svg"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    table = tables.versions([read.read_run(run) for run in reversed(runs)], "clone", "create")["NEWNET"]
    assert list(table["kernel"]) == ["6.1.0", "6.12.1"]


def test_the_page_has_kernels_in_the_order_of_versions(tmp_path: Path) -> None:
    kernels = ["7.0.0", "7.0-rc1", "6.12.1", "6.1.0"]
    runs = [read.read_run(write_run(tmp_path / name, [result_row("clone/none/stack:1M", "create", 1000.0, kernel=name)]))
            for name in kernels]
    assert page._payload(runs, [None] * 4, [None] * 4)["kernels"] == ["6.1.0", "6.12.1", "7.0-rc1", "7.0.0"]


@pytest.mark.parametrize("kernels, shown", [
    (("6.1.0-9-amd64", "6.12.1-2-amd64"), ["6.1", "6.12"]),
    (("6.12.0-rc7", "6.12.0", "7.0.0"), ["6.12.0-rc7", "6.12.0", "7.0.0"]),
])
def test_each_kernel_has_a_name_of_its_own(tmp_path: Path, kernels: tuple[str, ...], shown: list[str]) -> None:
    def rows(kernel: str) -> list[dict[str, object]]:
        return [result_row(f"clone/none/stack:{size}K", "create", 1000.0 + size, kernel=kernel, stack_bytes=size << 10)
                for size in (16, 64, 256, 1024, 4096, 16384)]
    runs = [read.read_run(write_run(tmp_path / kernel, rows(kernel))) for kernel in kernels]
    times, grown = plots_times.kernels(runs, "clone"), plots_curves.kernels(runs, "stack", "clone", "create")
    assert not isinstance(times, str) and not isinstance(grown, str)
    assert [label.get_text() for label in times.axes[0].get_xticklabels()] == shown
    assert [text.get_text() for text in grown.axes[0].get_legend().get_texts()] == shown


@pytest.mark.parametrize("older, newer", [
    ("5.10.0", "6.1.0"),
    ("6.9.1", "6.12.0"),
    ("6.12.0-rc7", "6.12.0"),
    ("6.12.0-rc9", "6.12.0-rc10"),
    ("6.12-rc7-amd64", "6.12.0-amd64"),
    ("6.12.0-rc7-amd64", "6.12.0-1-amd64"),
    ("6.12~rc7-amd64", "6.12-amd64"),
    ("6.12.0", "6.12.0-rt1"),
    ("6.12.0", "6.12.1-rc1"),
    ("5.15.0-97-generic", "5.15.0-100-generic"),
    ("6.1.0-9-cloud-amd64", "6.1.0-56-cloud-amd64"),
    ("6.1.009", "6.1.10"),
    ("mine", "yours"),
    pytest.param("6.1." + "8" * 5000, "6.1." + "9" * 5000, id="long"),
])
def test_the_older_kernel_comes_first(older: str, newer: str) -> None:
    assert sorted([newer, older], key=tables.version_key) == [older, newer]


def test_what_cannot_be_drawn_says_why(tmp_path: Path) -> None:
    rows = [
        result_row(f"clone/{name}/stack:1M", "create", 1000.0, delta=5, delta_low=1, delta_high=9)
        for name in ("NEWPID", "NEWUTS")
    ]
    run = write_run(tmp_path / "small", rows)
    made = plot(run, "-o", tmp_path / "plots")
    assert made.returncode == 0 and made.stdout == f"{tmp_path}/plots/b-kinds-clone.png\n"
    assert (tmp_path / "plots/b-kinds-clone.png").read_bytes().startswith(b"\x89PNG")
    assert "not made: a-sets-clone: heat map of clone: 2 sets with a delta; it takes 16" in made.stderr
    assert (
        "not made: h-memory: memory: the run has no memory.csv (nsbench --probe --out writes it)"
        in made.stderr
    )
    assert "Traceback" not in made.stderr
    nothing = plot(run, "-o", tmp_path / "plots", "--only=h", "--quiet")
    assert (nothing.returncode, nothing.stderr) == (2, "plot.py: nothing to draw; without --quiet each plot says why\n")


Change = Callable[[dict[str, str]], dict[str, str]]  # of a row, to what is put into it


def changed(folder: Path, change: Change) -> read.Run:
    """A full run whose measured rows were changed. Without what is drawn of other files than results.csv, which does not change, and
    without unshare, which is drawn as clone is."""
    file = full_run(folder, probed=False) / "results.csv"
    (folder / "samples.csv").unlink()
    with open(file, newline="") as rows:
        table = [row for row in csv.DictReader(rows) if row["operation"] != "unshare"]
    for row in table:
        if row["median"]:
            row.update({name: value for name, value in change(row).items() if row[name]})
    with open(file, "w", newline="") as rows:
        out = csv.DictWriter(rows, list(table[0]), lineterminator="\n")
        out.writeheader()
        out.writerows(table)
    return read.read_run(folder)


@pytest.mark.parametrize(
    "change, none",
    [
        (lambda row: dict.fromkeys(("delta", "delta_low", "delta_high"), "-5"), "no delta is above zero"),
        (lambda row: dict.fromkeys(tables.TIMES, "0"), "no set with times above zero"),
        (lambda row: {"ci_low": "-1e9", "ci_high": "1e9", "delta_low": "-1e9", "delta_high": "1e9"}, ""),
        (lambda row: dict.fromkeys(("ci_low", "ci_high", "delta_low", "delta_high"), ""), ""),
        (lambda row: {"stack_bytes": ""}, "no set with times above zero at three sizes"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_figures_at_the_edge_are_drawn_or_say_why_not(tmp_path: Path, change: Change, none: str) -> None:
    run = changed(tmp_path / "run", change)
    said = ""
    for plot in plots.plots([run], []):
        figure = plot.make()
        said += figure if isinstance(figure, str) else ""
        if not isinstance(figure, str):
            plot_style.save(figure, tmp_path, plot.name, ["svg"])
    assert none in said and not any("nan" in line for line in summary.summary(run))
    page.data(run, None, None)


def test_letters_of_runs_whose_names_begin_alike(tmp_path: Path) -> None:
    rows = [
        result_row(f"clone/{name}/stack:1M", "create", 1000.0, delta=5, delta_low=1, delta_high=9)
        for name in ("NEWPID", "NEWUTS")
    ]
    runs = [write_run(tmp_path / name, rows) for name in ("run", "run-b")]
    made = plot(*runs, "-o", tmp_path / "plots", "--only=b")
    assert made.returncode == 0 and made.stdout.splitlines() == [
        f"{tmp_path}/plots/run-b-kinds-clone.png",
        f"{tmp_path}/plots/run-b-b-kinds-clone.png",
    ]
    alone = plot(runs[0], "-o", tmp_path / "plots", "--only=f")
    assert alone.returncode == 2
    assert "not made: f-kernels-clone: kernels: fewer than two kernels" in alone.stderr
    more = plot(runs[0], "-o", tmp_path / "plots", "--folded=a", "--folded=b")
    assert more.returncode == 2 and "--folded=b: there are 1 runs, and it is once for each" in more.stderr


def test_no_runs_file_is_written_over_another_runs() -> None:
    names = ["a/b", "a-b", "a-b-2", "c"]  # as x/b, a/b and a-b are called
    assert plots.file_names(names) == ["a-b", "a-b-2", "a-b-2-2", "c"]


@pytest.mark.skipif(os.geteuid() != 0, reason="root is needed to become another user")
def test_without_a_home(public: Path) -> None:
    run = write_run(public / "run", [result_row("clone/none/stack:1M", "create", 1000.0)])
    (public / "tmp").mkdir(mode=0o777)
    (public / "tmp").chmod(0o777)
    made = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", SCRIPTS / "plot.py", run, "--only=h"],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TMPDIR": str(public / "tmp")},
        cwd=public / "tmp",
        capture_output=True,
        text=True,
    )
    assert made.returncode == 2 and made.stderr.startswith("not made: h-memory"), made.stderr
    assert [path.name for path in (public / "tmp").iterdir()] == ["plots"]


@pytest.mark.parametrize(
    "option, said",
    [
        ("--format=gif", "known are png, svg, pdf"),
        ("--only=az", "the letters are a to k"),
        ("--wrong", "--wrong: unknown option"),
    ],
)
def test_wrong_use(tmp_path: Path, option: str, said: str) -> None:
    made = plot(write_run(tmp_path / "one", [result_row("clone/none/stack:1M", "create", 1.0)]), option)
    assert made.returncode == 2 and said in made.stderr and "Traceback" not in made.stderr


def test_both_clocks_are_never_one_plot(tmp_path: Path) -> None:
    runs = [
        write_run(
            tmp_path / clock,
            [result_row("clone/none/stack:1M", "create", 1e3, clock=clock, unit="x", kernel=clock)],
        )
        for clock in ("wall", "instructions")
    ]
    made = plot(*runs, "--only=f", "-o", tmp_path / "plots")
    assert made.returncode == 2 and "runs of both clocks, which are never compared" in made.stderr
    said = summary.comparison(*(read.read_run(run) for run in runs))
    assert said == ["wall has the wall clock, instructions instructions: they are never compared."]


@pytest.mark.parametrize(
    "value, text",
    [
        (0, "0"),
        (1234.5, "1230"),
        (12.345, "12.3"),
        (0.0994, "0.0994"),
        (999.6, "1000"),
        (-3.14159, "−3.14"),
        (100.0, "100"),
    ],
)
def test_three_digits(value: float, text: str) -> None:
    assert kinds.three_digits(value) == text


@pytest.mark.parametrize(
    "value, clock, text",
    [
        (36500, "wall", "36.5 µs"),
        (999.7, "wall", "1.00 µs"),
        (-2, "wall", "−2.00 ns"),
        (1.4e6, "instructions", "1.40 M instructions"),
    ],
)
def test_times(value: float, clock: str, text: str) -> None:
    assert kinds.time_text(value, clock) == text


def test_stacks(tmp_path: Path) -> None:
    file = tmp_path / "stacks"
    file.write_text("case;a;b 3\ncase;a 2\ncase;c 1\nother;a 9\n")
    cases = stacks.by_case(stacks.read(file))
    assert stacks.tree(cases["case"]) == {
        "name": "all",
        "value": 6,
        "children": [
            {"name": "a", "value": 5, "children": [{"name": "b", "value": 3, "children": []}]},
            {"name": "c", "value": 1, "children": []},
        ],
    }
    file.write_text("case;a 3\ncase;b x\n")
    with pytest.raises(script.Unreadable, match="line 2: not a folded stack"):
        stacks.read(file)


def test_functions_look_alike_in_all_panels_and_unlike_each_other() -> None:
    one = pd.DataFrame({f"f{index}": [30.0 - index] for index in range(16)} | {"other traced functions": [5.0]})
    other = pd.DataFrame({"f3": [99.0], "g": [1.0], "other traced functions": [2.0]})
    looks = plots_probe._looks([one, other])
    assert looks["other traced functions"] == ("#DDDDDD", "") and looks["f3"] == (plot_style.SERIES[0], "")
    assert len(looks) == 18 and len(set(looks.values())) == 18


def test_the_probe_beside_a_run_is_drawn(tmp_path: Path) -> None:
    wall = full_run(tmp_path / "wall", samples=3, probed=False)
    full_run(tmp_path / "probe", samples=3)
    made = plot(wall, "-o", tmp_path / "plots", "--only=gh")
    assert (made.returncode, made.stderr) == (0, "")
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {"g-functions.png", "g-icicle.png", "h-memory.png"}


def test_words_say_only_what_was_measured(tmp_path: Path) -> None:
    said = summary.summary(
        read.read_run(
            write_run(
                tmp_path / "one", [result_row("setns/NEWPID/via:nsfd", "switch", 2000.0, status="imprecise")]
            )
        )
    )
    assert said[0] == "1 case in 1 row: 0 of them reached the precision that was asked for in every phase."
    assert len(said) == 2 and said[1].startswith("The 99th percentile is 1.00 times the median")
