"""Tests of the recorded curves: what is asked of which kernel, and the page made of what came of it."""
import argparse
import lzma
import os
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("statsmodels", reason="python3-statsmodels is missing")

from analysis.fixtures import result_row, write_run  # noqa: E402
from lab import curves, curves_bends, curves_page, curves_profile, curves_recorded, curves_sections, curves_states  # noqa: E402
from lab import images, profile, runs  # noqa: E402
from lab.errors import FAILED, USAGE, LabError  # noqa: E402
from lab.exact import Cost  # noqa: E402
from lab.fake_harness import FakeLab  # noqa: E402

NUMBERS = [10, 20, 50, 100, 200, 500, 1000, 2000]


# what is recorded

def test_a_recording_of_some_series_is_of_their_kernels_alone() -> None:
    some = curves.Recording("x", ("--op=clone",), "mounts:1..10", series=("7.3", "6.1"))
    assert some.is_of("6.1.192-2") and not some.is_of("6.12.118-1")
    assert some.is_of("")  # of one's own
    every = curves.Recording("y", ("--op=clone",), "mounts:1..10")
    assert all(every.is_of(f"{series}.1") for series in curves.SERIES)


def test_names_are_folders_and_profiles_have_levels() -> None:
    assert len({one.name for one in curves.RECORDINGS}) == len(curves.RECORDINGS)
    assert all(one.levels or one.profiled for one in curves.RECORDINGS)
    assert set(curves_sections.SECTIONS) == {"short", *(one.name for one in curves.RECORDINGS)}


def test_each_curve_is_a_run_and_a_profile_beside_it(lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[runs.Wanted] = []
    explained: list[Path] = []
    monkeypatch.setenv("PATH", f"{lab.bin}:{os.environ['PATH']}")

    def run_all(every: list[runs.Wanted], *_: object) -> list[runs.Result]:
        asked.extend(every)
        return [runs.Result(one.image, one.folder, error=LabError("no") if one.folder.name == "peers" else None) for one in every]

    def measure(one: runs.Wanted, *_: object) -> None:
        explained.append(one.folder)
        raise LabError("that is enough")
    monkeypatch.setattr(runs, "run_all", run_all)
    monkeypatch.setattr(profile, "measure", measure)
    monkeypatch.setattr(profile, "inputs", lambda one: one.lab)
    monkeypatch.setattr(images, "images", lambda names, missing: [images.Image("own", lab.kernel, "0")])
    (lab.out / "own" / "mounts").mkdir(parents=True)
    options = argparse.Namespace(accel="tcg", append="", memory=512, timeout=9, kernel=["own"], out=lab.out, again=False, jobs=1,
                                 only=["mounts", "peers", "dying-alive"])
    assert curves.curves(options) == FAILED
    assert [one.folder for one in asked] == [lab.out / "own" / name for name in ("mounts", "peers")]
    assert all(one.lab["bases"] is False and not one.has_bases for one in asked)
    assert "--curve=mounts:10..10000:10" in asked[0].options
    assert explained == [lab.out / "own" / "mounts" / "exact", lab.out / "own" / "dying-alive"]  # peers has nothing to be explained


def test_a_kernel_that_is_named_and_has_no_such_recording_is_an_error(lab: FakeLab, monkeypatch: pytest.MonkeyPatch,
                                                                      capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", f"{lab.bin}:{os.environ['PATH']}")
    monkeypatch.setattr(images, "images", lambda names, missing: [images.Image("seven", lab.kernel, "0", "linux-image 7.0.4-1")])
    options = argparse.Namespace(accel="tcg", append="", memory=512, timeout=9, kernel=["7.0"], out=lab.out, again=False, jobs=1,
                                 only=["mount_ns"])
    assert curves.curves(options) == USAGE
    assert "lab: seven: nothing is recorded for it of mount_ns" in capsys.readouterr().err and not (lab.out / "seven").exists()
    options.kernel = None
    assert curves.curves(options) == 0 and not (lab.out / "seven").exists()


# the page

def record(folder: Path, key: str, case: str, law: Callable[[int], float], kernel: str) -> None:
    """A curve over NUMBERS, as the lab records one."""
    more = {"kernel": kernel, "clock": "instructions", "unit": "instructions", "state": "fresh"}
    rows = [result_row(f"{case}/{key}:{number}", phase, law(number), **more)
            for number in NUMBERS for phase in ("create", "total")]
    folder.parent.mkdir(parents=True, exist_ok=True)
    version = kernel.split("-")[0]
    write_run(folder, rows, lab={"kernel_package": f"linux-image-{kernel} {version}-1"})


def explain(folder: Path, lines: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join([",".join(curves_profile.COLUMNS), *lines, ""])
    (folder / "functions.csv.xz").write_bytes(lzma.compress(text.encode()))


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Two kernels: mounts cost 100 each and the allocator 10 for a mount's square; the older one's walk is of pairs."""
    for kernel, a_pair in (("6.1.9-x", 40), ("7.3.4-y", 0)):
        folder = tmp_path / kernel
        case = "clone/NEWNS/stack:1M"
        record(folder / "mounts", "mounts", case, lambda n: 5000 + 100 * n + 10 * n * n, kernel)
        explain(folder / "mounts" / "exact",
                [f"{case}/mounts:{n},create,{owner},{own}" for n in NUMBERS
                 for owner, own in (("[call],,clone_mnt", 5000 + 100 * n), ("[call],pcpu_alloc,pcpu_next_md_free_region", 10 * n * n),
                                    ("[other tasks],,schedule", 7 if n == 10 else 0))])
        grid = [f"clone/NEWNET/stack:1M/dying:{d}/netns:{a},async,,,{name},{own}"
                for d in (1, 16, 64) for a in (1, 16, 64)
                for name, own in (("idr_for_each", a_pair * d * a), ("ops_undo_list", 1000 * d + 100 * a),
                                  ("idr_get_next", 0 if a_pair else 5 * a * (2 if (d, a) == (1, 64) else 1)),
                                  ("cleanup_net", 9 * d + 7 * a)) if own]
        rows = [result_row("clone/NEWNET/stack:1M/dying:1/netns:1", "create", 1.0, kernel=kernel, clock="instructions")]
        write_run(folder / "dying-alive", rows, lab={"kernel_package": f"linux-image-{kernel} {kernel.split('-')[0]}-1"})
        explain(folder / "dying-alive", grid)
    return tmp_path


def test_the_call_is_taken_apart_into_the_allocator_and_the_rest(recorded: Path) -> None:
    kernel = curves_recorded.read_all(recorded)[0]
    assert kernel.name == "6.1.9"
    allocator, pages, rest, meanwhile = curves_recorded.split(kernel.curves("mounts")[0], kernel, "mounts").values()
    assert pages.figures == [0] * len(NUMBERS)
    assert rest.growth and allocator.growth and meanwhile.growth is None and max(meanwhile.figures) == 7
    assert rest.growth.best.law == "linear" and allocator.growth.best.law == "quadratic"
    assert rest.growth.best.coefficients[1].value == pytest.approx(100)


def test_small_functions_are_one() -> None:
    tree = {("[call]", "copy_tree", "clone_mnt"): Cost(1, 999), ("[call]", "copy_tree", "pcpu_alloc_noprof", "memset"): Cost(1, 5000),
            ("[call]", "copy_tree"): Cost(1, 1), ("[other tasks]", "schedule"): Cost(1, 10)}
    assert curves_profile.functions(tree, True, 0.001) == {
        ("[call]", "", "clone_mnt"): 999, ("[call]", "pcpu_alloc", "memset"): 5000, ("[call]", "", "[others]"): 1,
        ("[other tasks]", "", "schedule"): 10}


def test_a_walk_of_pairs_is_told_from_a_walk_of_each(recorded: Path) -> None:
    old, new = curves_recorded.read_all(recorded)
    found = curves_sections.pairs(old)
    assert found["idr_for_each"].factor == pytest.approx(40 * curves_sections.BLOCK) and found["idr_for_each"].residual < 1e-9
    assert found["ops_undo_list"].factor == pytest.approx(0, abs=1e-6)
    text = "\n".join(curves_sections.dying_alive([old, new]))
    assert "On 6.1.9 the walk grows with dying × alive, by 80.0 instructions a pair (idr_for_each 80.0)" in text
    assert "On 7.3.4 the walk is a part for each dying one and one for each alive one" in text
    assert "- Between 6.1.9 and 7.3.4 the law of the walk changes, from cleanup_net, idr_for_each to cleanup_net, idr_get_next." in text
    assert curves_sections.more_walks(old) == {} and curves_sections.more_walks(new) == {"clone/NEWNET/stack:1M/dying:1/netns:64": 2}
    assert "executed more at dying × alive of 1 × 64 (2.0 times). The other 8 figures are within 0.0% of a law of 4 terms." in text


def test_a_bend_is_told_with_the_functions_that_are_steeper_there(tmp_path: Path) -> None:
    """Up to 500 a mount costs 100, behind it 1000 more, which reclaim executes; below it clone_mnt alone grows."""
    case, kernel = "clone/NEWNS/stack:1M", "7.3.4-y"
    record(tmp_path / "a" / "mounts", "mounts", case, lambda n: 5000 + 100 * n + 1000 * max(n - 500, 0) ** 1.5, kernel)
    explain(tmp_path / "a" / "mounts" / "exact",
            [f"{case}/mounts:{n},create,{owner},{own}" for n in NUMBERS
             for owner, own in (("[call],,clone_mnt", 5000 + 100 * n), ("[call],,shrink_node", 1000 * max(n - 500, 0) ** 1.5))])
    [found] = curves_recorded.read_all(tmp_path)
    [one] = found.curves("mounts")
    assert one.growth and one.growth.is_misfit
    bends = curves_bends.bends(one)
    assert [bend.piece.name(one) for bend in bends] == ["500–1000", "1000–2000"]
    assert curves_bends.behind(one, bends[0], found.profiles["mounts"])[0][0] == "shrink_node"
    text = "\n".join(curves_sections.each([found], "mounts"))
    assert "What one mount more costs from level to level, where no single law fits and most pieces rise:" in text
    assert "- On 7.3.4 a mount costs 22.5 k at 500–1000, and 100 at 200–500; of what that adds: shrink_node 100%." in text
    assert curves_bends.behind(one, bends[0], curves_profile.Levels()) == []


def of_mounts(directory: Path, figures: list[float], profile: list[str] | None = None) -> curves_recorded.Kernel:
    """A kernel with this curve over NUMBERS, and with lines {number},owner,under,function,own of its profile."""
    case, at = "clone/NEWNS/stack:1M", dict(zip(NUMBERS, figures))
    record(directory / "a" / "mounts", "mounts", case, lambda n: at[n], "7.3.4-y")
    if profile:
        explain(directory / "a" / "mounts" / "exact",
                [f"{case}/mounts:{number},create,{rest}" for number, _, rest in (line.partition(",") for line in profile)])
    [found] = curves_recorded.read_all(directory)
    return found


def test_a_jump_after_scatter_is_told_and_scatter_is_no_cost(tmp_path: Path) -> None:
    """As of dying net namespaces: the piece before the jump falls."""
    found = of_mounts(tmp_path, [1170e3, 1106e3, 1167e3, 1230e3, 1176e3, 1142e3, 1100e3, 45083e3])
    text = "\n".join(curves_sections.each([found], "mounts"))
    assert "- On 7.3.4 no growth is told from scatter, but where it jumps: it falls by up to 5.5% from a level to the next." in text
    assert "- On 7.3.4 it rises by 44.0 M at 1000–2000." in text
    assert "from level to level, where" not in text  # no table


def test_figures_that_only_scatter_have_no_bends(tmp_path: Path) -> None:
    [one] = of_mounts(tmp_path, [1235e3, 1147e3, 1493e3, 1583e3, 1340e3, 1259e3, 1559e3, 1239e3]).curves("mounts")
    assert one.growth and one.growth.is_misfit
    assert not curves_bends.bends(one) and not curves_bends.outliers(one) and not curves_bends.rows([one])
    [said] = curves_bends.scatter_told(one)
    assert said == "- On 7.3.4 no growth is told from scatter: it falls by up to 20.5% from a level to the next."


def test_an_outlier_is_told_as_such_and_its_return_is_no_bend(tmp_path: Path) -> None:
    figures = [float(5000 + 1000 * n) for n in NUMBERS]
    figures[5] *= 1.8  # at 500
    [one] = of_mounts(tmp_path, figures).curves("mounts")
    assert curves_bends.outliers(one) == [5] and curves_bends.bends(one) == []
    assert curves_bends.outliers_told(one) == [
        "- On 7.3.4 the figure at 500 is an outlier: 909 k, where the line between its neighbours has 505 k."]


@pytest.mark.parametrize(("owner", "words"), [("[child]", "its child ran"), ("[other tasks]", "other tasks ran")])
def test_what_ran_meanwhile_is_no_bend_of_the_call(tmp_path: Path, owner: str, words: str) -> None:
    own, meanwhile = [5000 + 1000 * n for n in NUMBERS], [0 if n < 500 else 10**6 for n in NUMBERS]
    found = of_mounts(tmp_path, [float(a + b) for a, b in zip(own, meanwhile)],
                      [line for n, a, b in zip(NUMBERS, own, meanwhile)
                       for line in (f"{n},[call],,copy_tree,{a}", f"{n},{owner},,schedule,{b}")])
    [one] = found.curves("mounts")
    said = [curves_bends.told(one, bend, found.profiles["mounts"]) for bend in curves_bends.bends(one)]
    assert said == [f"- On 7.3.4 1.00 M more at 200–500 is no bend of the call: {words} meanwhile (100% of it)."]


def test_a_profile_without_the_bend_has_nothing_behind_it(tmp_path: Path) -> None:
    figures = [5000.0 + 100 * n + 1000 * max(n - 500, 0) for n in NUMBERS]
    [one] = of_mounts(tmp_path, figures).curves("mounts")
    case = "clone/NEWNS/stack:1M/mounts"
    flat = curves_profile.Levels({f"{case}:{n}": {"create": {("[call]", "", "copy_tree"): 5000.0}} for n in NUMBERS})
    [bend] = curves_bends.bends(one)
    assert curves_bends.behind(one, bend, flat) == [] and "of what that adds" not in curves_bends.told(one, bend, flat)


def test_a_profile_that_is_unlike_the_figure_is_not_used(tmp_path: Path) -> None:
    found = of_mounts(tmp_path, [5000.0 + 100 * n for n in NUMBERS],
                      [f"{n},[call],,copy_tree,{(5000 + 100 * n) * (2 if n == 200 else 1.04)}" for n in NUMBERS])
    assert [(one.case.rpartition(":")[2], one.profiled, one.figure) for one in found.unlike] == [("200", 50000, 25000)]
    assert "- 7.3.4, mounts: clone/NEWNS/stack:1M/mounts:200 50.0 k, and the figure 25.0 k" in curves_states.unlike([found])
    assert 200 not in curves_recorded.split(found.curves("mounts")[0], found, "mounts")[curves_recorded.REST].levels
    assert all("| 200 |" not in line for line in curves_sections.shares([found], "mounts", "clone/NEWNS/stack:1M"))


def test_recordings_of_the_same_call_that_differ_are_told(tmp_path: Path) -> None:
    record(tmp_path / "a" / "mount_ns", "mounts", "mount_ns/NEWNS/via:clone", lambda n: 1e3 * n * (3 if n == 50 else 1), "7.3.4-y")
    found = of_mounts(tmp_path, [1e3 * n for n in NUMBERS])
    said = curves_states.states([found])
    assert said[2] == ("- The same clone/NEWNS on 7.3.4 costs at 50 mounts 50.0 k in `mounts` (machines: 1), and 150 k in `mount_ns` "
                       "(machines: 1).")
    found.runs.pop("mount_ns")
    assert curves_states.states([found]) == []


def page(directory: Path, check: bool = False) -> int:
    return curves_page.curves_page(argparse.Namespace(directory=directory, check=check, stdout=False))


def test_the_page_is_checked_against_the_files(recorded: Path) -> None:
    with pytest.raises(LabError, match="README.md is not what the recorded curves give"):
        page(recorded, check=True)
    assert page(recorded) == page(recorded, check=True) == 0
    text = (recorded / "README.md").read_text()
    assert "| 6.1.9: all else of the call | linear" in text and "pcpu_next_md_free_region" in text
    assert "- One law fits: 6.1.9: percpu's allocator, 6.1.9: all else" in text
    assert "- **clone NEWNS** over mounts: 6.1.9 quadratic, 100 instructions a mount" in text
    assert "## A fork" not in text  # of what is not recorded nothing is said
    results = recorded / "6.1.9-x" / "mounts" / "results.csv"
    results.write_text(results.read_text().replace("7000.000", "7100.000"))
    with pytest.raises(LabError) as error:
        page(recorded, check=True)
    assert error.value.code == FAILED


def test_a_kernel_of_several_builds_is_called_so(tmp_path: Path) -> None:
    case, kernel = "clone/NEWNS/stack:1M", "7.3.4-y"
    for key, digest in (("mounts", "a" * 64), ("peers", "a" * 64), ("netns", "b" * 64)):
        record(tmp_path / "a" / key, key, case, lambda n: 5000.0 + n, kernel)
        path = tmp_path / "a" / key / "run.json"
        path.write_text(path.read_text().replace('"kernel_package":', f'"nsbench_sha256": "{digest}", "kernel_package":'))
    found = curves_recorded.read_all(tmp_path)
    assert {"- aaaaaaaa: 7.3.4 mounts, peers.", "- bbbbbbbb: 7.3.4 netns."} <= set(curves_sections.builds(found))
    found[0].builds.pop("bbbbbbbb")
    assert curves_sections.builds(found) == []


def test_what_cannot_be_a_page_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no curves in it") as error:
        page(tmp_path)
    assert error.value.code == USAGE
    record(tmp_path / "k" / "mounts", "mounts", "clone/NEWNS/stack:1M", lambda n: 1.0 + n, "6.1.9-x")
    (tmp_path / "k" / "mounts" / "run.json").write_text("{")
    with pytest.raises(LabError):
        page(tmp_path)
