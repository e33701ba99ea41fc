"""One program: its commands, those that are scripts among them, and how it says which there are."""

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from nsbench_harness import assert_one_line, binary, list_ids, measure, run

SCRIPTS = ("validate", "report", "plot", "model", "curves", "scaling", "export", "preset", "compare", "ab", "history", "lab")
COMMANDS = ("run", "list", "benchmark", "churn", "doctor", "summary", "dictionary", "guest", "exec", "verify", "help", *SCRIPTS)


def names_in(text):
    """The commands of a list of them."""
    return re.findall(r"^    ([a-z]+) ", text, re.MULTILINE)


@pytest.fixture
def installed(tmp_path):
    """nsbench as it is installed, with a script of its own."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib/nsbench/scripts").mkdir(parents=True)
    shutil.copy(binary(), tmp_path / "bin/nsbench")
    (tmp_path / "lib/nsbench/scripts/plot.py").write_text(
        "import os, signal, sys\n"
        "print(sys.argv[1:], os.environ['NSBENCH_PROGRAM'], sys.dont_write_bytecode, flush=True)\n"
        "if sys.argv[1:] == ['killed']: os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.exit(41)\n")
    return tmp_path / "bin/nsbench"


def started(program, *words):
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=30)


# which commands there are

def test_commands_are_listed_in_groups():
    text = measure("help").stdout
    assert set(COMMANDS) <= set(names_in(text))
    for group in ("Measure", "Look at what was measured", "Compare", "Other kernels", "Isolation"):
        assert f"  {group}:\n" in text
    assert max(map(len, text.splitlines())) <= 100
    assert names_in(measure("--help").stdout) == names_in(text)


@pytest.mark.parametrize("word, nearest", [("lst", "list"), ("docter", "doctor"), ("comprae", "compare"), ("nothing-like-it", None)])
def test_an_unknown_command_says_what_there_is(word, nearest):
    done = run(word)
    assert (done.returncode, done.stdout) == (2, "")
    first, *others = done.stderr.splitlines()
    assert first == f"nsbench: '{word}' is no command" + (f"; nearest: '{nearest}'" if nearest else "")
    assert names_in("\n".join(others)) == names_in(measure("help").stdout)


@pytest.mark.parametrize("words", [("help", "list"), ("-h", "list"), ("list", "-h"), ("--help", "list")])
def test_help_of_a_command(words):
    assert measure(*words).stdout == measure("list", "--help").stdout


def test_help_of_what_is_no_command():
    assert run("help", "lst").stderr.startswith("nsbench: 'lst' is no command; nearest: 'list'\n")


def test_version_is_short_too():
    assert measure("-V").stdout == measure("--version").stdout


# options before the command

def test_the_command_is_the_first_word_that_is_no_option_s():
    ids = list_ids("--op=setns", "--ns=pid")
    for words in (("--op=setns", "list", "--ns=pid"), ("--op", "setns", "--ns", "pid", "list"), ("--ns=pid", "list", "--op=setns")):
        assert measure(*words).stdout.split() == ids
    assert run("--filter", "list", "--case").returncode == 2  # is a value there


@pytest.mark.parametrize("words, said", [
    (("list", "quiett"), "'quiett': a word that is no option"), (("--ns=pid", "list", "bases"), "nearest: '--bases'"),
    (("list", "ns=pid"), "nearest: '--ns'"), (("list", "-x"), "'-x'"), (("exec", "--ns=pid", "ps"), "'ps'"),
    (("list", "--bsaes"), "nearest: '--bases' (nsbench list --help lists them)"),
])
def test_an_error_names_the_word_and_the_nearest(words, said):
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert_one_line(done.stderr)
    assert said in done.stderr


def test_an_option_of_another_command_is_said_to_be_one():
    done = run("list", "--verbose")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "nsbench: unknown option '--verbose', which is one of nsbench run (nsbench list --help lists them)\n"


# commands that are scripts

def test_a_script_gets_its_words_and_gives_its_exit_code(installed):
    done = started(installed, "plot", "a b", "--", "", "-x")
    assert (done.returncode, done.stderr) == (41, "")
    assert done.stdout == f"{['a b', '--', '', '-x']} {installed} True\n"
    assert started(installed, "help", "plot").stdout.startswith("['--help'] ")
    assert started(installed, "plot", "killed").returncode == -signal.SIGTERM


def test_an_installation_lists_what_it_has(installed):
    listed = names_in(started(installed, "help").stdout)
    assert "plot" in listed and "list" in listed and not {*SCRIPTS} - {"plot"} & set(listed)
    done = started(installed, "compare", "a", "b")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (f"nsbench: compare: this installation has no {installed.parents[1]}/lib/nsbench/scripts/compare.py; "
                           "build or install it whole\n")


def test_no_variable_says_where_scripts_are(installed, monkeypatch):
    monkeypatch.setenv("NSBENCH_PROGRAM", "/nowhere/nsbench")
    assert str(installed) in started(installed, "plot").stdout


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_says_how_it_was_started(name):
    text = run(name, "--help").stdout
    assert text.startswith(f"usage: nsbench {name} ") and f"scripts/{name}.py" not in text
    wrong = run(name, "--no-such-option").stderr
    assert "nsbench " + name in wrong and ".py" not in wrong
    itself = Path(__file__).resolve().parents[2] / f"scripts/{name}.py"
    environment = {key: value for key, value in os.environ.items() if key != "NSBENCH_PROGRAM"}
    alone = subprocess.run([itself, "--help"], capture_output=True, text=True, env=environment, timeout=30).stdout
    assert f"{name}.py" in alone.splitlines()[0]


def test_what_a_script_runs_is_the_nsbench_that_started_it(tmp_path):
    """ab measures with it, not with that of the tree."""
    copy = tmp_path / "bin/nsbench"
    copy.parent.mkdir()
    shutil.copy(binary(), copy)
    (copy.parent / "nsbench-sampler").symlink_to(Path(binary()).with_name("nsbench-sampler"))
    (copy.parent / "nsbench-scripts").symlink_to(Path(__file__).resolve().parents[2] / "scripts")
    words = "--case=setns/NEWUTS/via:nsfd --ns=none"  # is refused by whichever is run, with its name in the message
    done = started(copy, "ab", "--pairs=1", words, words)
    assert str(copy) in done.stderr and done.returncode == 2


def test_verbose_says_how_it_is_measured():
    words = ("--case=clone/none/stack:1M", "--samples=2", "--seed=7", "--quiet")
    done, plain = run(*words, "--verbose"), run(*words)
    if done.returncode == 3:
        pytest.skip(f"nothing can be measured here: {done.stderr.strip()}")
    said = done.stderr.splitlines()
    assert [line.split(": ")[0] for line in said[:4]] == ["ends", "blocks", "seed", "sampler"]
    assert "2 samples" in said[0] and "none 8+" in said[1] and "--seed=7" in said[2] and "nsbench-sampler" in said[3]
    assert any(line.startswith("kernel: ") for line in said) and plain.stderr == ""


def test_the_record_of_a_run_has_the_plain_version(tmp_path):
    done = run("--case=clone/none/stack:1M", "--samples=1", "--quiet", f"--out={tmp_path / 'run'}")
    if done.returncode == 3:
        pytest.skip(f"nothing can be measured here: {done.stderr.strip()}")
    version = json.loads((tmp_path / "run/run.json").read_text())["nsbench_version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
