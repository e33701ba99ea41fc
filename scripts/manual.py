#!/usr/bin/python3
"""Writes nsbench's manual, a page for each command, of what the commands say that they take.

    ninja -C build/release man      into build/release/man
    nsbench's own commands by `nsbench help --format=json`, those that are scripts by their parsers
"""
import argparse
import itertools
import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from analysis import programs
from analysis.described import parser_of, table
from analysis.options import Parser
from analysis.script import Unreadable, main

# Behind a bar, and behind a comma without a space, a line may end: lists of choices are long.
ESCAPED = str.maketrans({"\\": r"\e", "-": r"\-", "^": r"\(ha", "~": r"\(ti", "'": r"\(aq", "`": r"\(ga", "|": r"|\:"})
FILES = """\
.SH ENVIRONMENT
.TP
.B NO_COLOR
no colours, also on a terminal
.TP
.B COLUMNS
the width of tables where standard output is no terminal
"""


def escaped(text: str) -> str:
    """Text on one line of a page, of which nothing is a request."""
    made = re.sub(r",(?=\S)", r",\\:", text.translate(ESCAPED))
    return r"\&" + made if made.startswith((".", r"\(aq")) else made


def paragraphs(text: str) -> str:
    """Lines that are indented stand as they are, the others are filled."""
    made = ""
    for paragraph in re.split(r"\n\s*\n|\n(?=Exit codes: )", text.strip("\n")):
        before = ".PP\n"
        for stands, lines in itertools.groupby(paragraph.splitlines(), lambda line: line.startswith("  ")):
            block = "".join(f"{escaped(line.strip())}\n" for line in lines)
            made += f"{'.sp' if before else '.br'}\n.RS 4\n.nf\n{block}.fi\n.RE\n" if stands else before + block
            before = ""
    return made.removeprefix(".PP\n")


def option(names: Iterable[str], value: str, meaning: str, joint: str = "=") -> str:
    """An option or an argument with what it means."""
    shown = ", ".join(rf"\fB{escaped(name)}\fR" for name in names)
    taken = rf"{joint if shown else ''}\fI{escaped(value)}\fR" if value else ""
    return f".TP\n{shown}{taken}{']' if joint == '[=' else ''}\n{escaped(' '.join(meaning.split())) or 'see above'}\n"


def page(name: str, version: str, brief: str, usage: str, parts: str) -> str:
    """A whole page. Without a date, so that the same sources make the same page."""
    also = ["nsbench(1)"] if name != "nsbench" else ["namespaces(7)", "clone(2)", "unshare(2)", "setns(2)"]
    return (f'.TH {escaped(name.upper())} 1 "" "nsbench {version}" "nsbench"\n.ad l\n.nh\n.SH NAME\n{escaped(name)} \\- {escaped(brief)}\n'
            f".SH SYNOPSIS\n.B {escaped(usage)}\n{parts}.SH SEE ALSO\n{escaped(', '.join(also))}\n")


def of_own(command: dict[str, Any]) -> str:
    """What nsbench itself says of one of its commands."""
    made = f".SH DESCRIPTION\n{paragraphs(command['what'])}.SH OPTIONS\n"
    for group in command["groups"]:
        made += f".SS {escaped(group['title'])}\n"
        for one in group["options"]:
            names = [one["short"], one["name"]] if one["short"] else [one["name"]]
            made += option(names, one["value"], one["meaning"], "[=" if one["is_value_optional"] else "=")
    return made + f".SH NOTES\n{paragraphs(command['notes'])}"


def taken(of: dict[str, Any]) -> str:
    """The arguments and options of a script, or of a command below it."""
    return ("".join(option([], one["value"], one["meaning"]) for one in of["arguments"])
            + "".join(option(one["names"], one["value"], one["meaning"]) for one in of["options"]))


def of_script(of: dict[str, Any]) -> str:
    """What a script says of itself, with the commands below it."""
    made = f".SH DESCRIPTION\n{paragraphs(of['what'])}.SH OPTIONS\n{taken(of)}"
    if of["commands"]:
        made += ".SH COMMANDS\n"
    for name, below in of["commands"].items():
        made += f".SS {escaped(name)}\n.B {escaped(below['usage'])}\n" + (f".PP\n{escaped(below['brief'])}\n" if below["brief"] else "")
        made += (f".PP\n{paragraphs(below['what'])}" if below["what"] else "") + taken(below)
    return made + (f".SH NOTES\n{paragraphs(of['notes'])}" if of["notes"] else "")


def list_of(commands: list[dict[str, Any]]) -> str:
    """All commands by their groups."""
    made, group = ".SH COMMANDS\n", ""
    for one in commands:
        if one["group"] != group:
            made, group = made + f".SS {escaped(one['group'])}\n", one["group"]
        made += f".TP\n\\fBnsbench\\-{escaped(one['name'])}\\fR(1)\n{escaped(one['brief'])}\n"
    return made


def pages(said: dict[str, Any]) -> dict[str, str]:
    """The manual: the name of each file, and its text."""
    version, commands = said["version"], [one for one in said["commands"] if one["group"]]  # hidden ones have none
    made = {}
    for one in commands:
        name = f"nsbench-{one['name']}"
        if one["is_script"]:
            made[f"{name}.1"] = page(name, version, one["brief"], one["usage"], of_script(table(parser_of(one["name"]))))
        elif one["name"] == "run":  # is what nsbench does without a command
            made["nsbench.1"] = page("nsbench", version, "what each Linux namespace costs", "nsbench [COMMAND] [OPTIONS]",
                                     of_own(one) + list_of(commands) + FILES)
        else:
            made[f"{name}.1"] = page(name, version, one["brief"], one["usage"], of_own(one))
    return made


def parser() -> Parser:
    """The command line."""
    one = Parser(prog="manual.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("folder", type=Path, metavar="DIR", help="where the pages go")
    return one


def manual(words: list[str]) -> int:
    """The script."""
    folder = parser().parse_args(words).folder
    program = programs.started_by() or programs.find("nsbench")
    if program is None:
        raise Unreadable(f"nsbench is missing: {programs.remedy()}")
    done = subprocess.run([program, "help", "--format=json"], capture_output=True, text=True, check=True)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("nsbench*.1"):
        old.unlink()
    for name, text in pages(json.loads(done.stdout)).items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "nsbench-run.1").symlink_to("nsbench.1")
    return 0


if __name__ == "__main__":
    main(manual, "manual")
