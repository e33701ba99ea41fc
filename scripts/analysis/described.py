"""What a script takes, told by its own parser: to be completed in a shell, and to be written in the manual."""
import argparse
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

from analysis import columns, programs
from analysis.options import FORMATS, LETTERS
from analysis.programs import as_called

Action = argparse.Action
FILES, FOLDERS = ":file", ":folder"  # what the shell knows: src/cli/complete.h


def parser_of(name: str) -> argparse.ArgumentParser:
    """The command line of scripts/NAME.py: each has a function `parser`. By its file, since lab is also a package's name."""
    spec = importlib.util.spec_from_file_location(f"{name}_program", programs.SCRIPTS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    made: argparse.ArgumentParser = module.parser()
    return made


def _below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands of a parser that has some."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _about_below(parser: argparse.ArgumentParser) -> dict[str, str]:
    """What its help says of each of them."""
    return {one.dest: one.help or "" for action in parser._actions if isinstance(action, argparse._SubParsersAction)
            for one in action._choices_actions}


def _own(parser: argparse.ArgumentParser) -> list[Action]:
    """Its arguments, without the one that stands for commands, nor what is not to be seen."""
    return [one for one in parser._actions if not isinstance(one, argparse._SubParsersAction) and one.help != argparse.SUPPRESS]


def meaning(parser: argparse.ArgumentParser, action: Action) -> str:
    """The help of an argument, its default put in."""
    return as_called(parser._get_formatter()._expand_help(action)) if action.help else ""


def value(action: Action) -> str:
    """What it takes, as the help has it; empty for a switch."""
    if action.nargs == 0:
        return ""
    if isinstance(action.metavar, str):
        return action.metavar
    return "|".join(map(str, action.choices)) if action.choices else action.dest.upper()


def table(parser: argparse.ArgumentParser, brief: str = "") -> dict[str, Any]:
    """All that it takes; see src/cli/option_texts.cpp for the same of nsbench's own commands."""
    about = _about_below(parser)
    return {
        "brief": brief,
        "usage": as_called(" ".join(parser.format_usage().removeprefix("usage: ").split())),
        "what": as_called(parser.description or ""),
        "notes": as_called(parser.epilog or ""),
        "arguments": [{"value": value(one), "meaning": meaning(parser, one)} for one in _own(parser) if not one.option_strings],
        "options": [{"names": list(one.option_strings), "value": value(one), "meaning": meaning(parser, one)}
                    for one in _own(parser) if one.option_strings],
        "commands": {name: table(one, about.get(name, "")) for name, one in _below(parser).items()},
    }


def _kernels() -> list[str]:
    """Those of the lab's cache: their series and their releases."""
    from lab import packages  # has no part in what the other scripts take
    releases = [path.parent.name.split("_")[0] for path in packages.cache().glob("kernels/*/vmlinuz")]
    return sorted({".".join(release.split(".")[:2]) for release in releases} | set(releases))


def _phases() -> list[str]:
    return columns.phases()


def _parameters() -> list[str]:
    return list(dict.fromkeys(key for one in columns.dictionary()["operations"] for key in one["parameters"]))


def _numbers() -> list[str]:
    """The parameters that curves are of."""
    return [one["key"] for one in columns.dictionary()["parameters"] if one["type"] != "choice"]


LISTS = (",...", "[,…]")  # how the help calls what takes several, with commas between them
WORD = "LETTERS"  # takes several, with nothing between them

# What a value may be, by how the help calls it.
VALUES: dict[str, Callable[[], list[str]]] = {
    "FILE": lambda: [FILES], "FILE|-": lambda: [FILES], "RUN": lambda: [FILES], "RUN|FILE": lambda: [FILES],
    "DIR": lambda: [FOLDERS], "NAME|SCRIPT": lambda: [*_states(), FILES], "KERNEL": lambda: [*_kernels(), FILES],
    "PHASE": _phases, "PHASE,...": _phases, "NAME,...": _parameters, "OP,...": columns.making_sets, "KEY": _numbers,
    "PRESET": lambda: [*_presets(), "all"], "FORMAT[,…]": lambda: list(FORMATS), WORD: lambda: list(LETTERS),
}


def _presets() -> list[str]:
    from analysis import presets
    return list(presets.NAMES)


def _states() -> list[str]:
    from lab import states
    return sorted(states.STATES)


def _values(parser: argparse.ArgumentParser, action: Action, begun: str, before: str) -> Iterator[str]:
    """The lines for an argument's value; `before` is what stands before it in the word."""
    name = value(action)
    known = list(map(str, action.choices)) if action.choices else VALUES.get(name, list)()
    if name == WORD:
        before += begun
        known, begun = [one for one in known if one not in begun], ""
    if name.endswith(LISTS) and "," in begun:
        listed, begun = begun.rsplit(",", 1)
        before += listed + ","
        known = [one for one in known if one not in listed.split(",")]
    for one in known:
        if one in (FILES, FOLDERS):
            yield one
        elif one.startswith(begun):
            yield f"{before}{one}\t"


def _nsbench_s(words: list[str]) -> list[str]:
    """Behind -- stand options of nsbench."""
    program = programs.find("nsbench")
    if program is None:
        return []
    done = subprocess.run([program, "complete", "--", "run", *words], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def candidates(parser: argparse.ArgumentParser, words: list[str]) -> list[str]:
    """What may be in the place of the last word, as src/cli/complete.h has it."""
    *before, last = words
    if "--" in before:
        return _nsbench_s(words[words.index("--") + 1:])
    for at, word in enumerate(before):
        if below := _below(parser).get(word):
            return candidates(below, words[at + 1:])
    options = {name: one for one in _own(parser) for name in one.option_strings}
    name, equals, begun = last.partition("=")
    if equals and name in options:
        return list(_values(parser, options[name], begun, f"{name}="))
    if before and before[-1] in options and value(options[before[-1]]):
        return list(_values(parser, options[before[-1]], last, ""))
    if last.startswith("-"):
        return [f"{name}{'=' if value(one) and name.startswith('--') else ''}\t{_short(meaning(parser, one))}"
                for name, one in options.items() if name.startswith(last)]
    if commands := _below(parser):
        about = _about_below(parser)
        return [f"{name}\t{about.get(name, '')}" for name in commands if name.startswith(last)]
    return list(dict.fromkeys(line for one in _own(parser) if not one.option_strings for line in _values(parser, one, last, "")))


def _short(text: str) -> str:
    """On one line."""
    return " ".join(text.split())
