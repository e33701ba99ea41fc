"""page: what the recorded runs show, in plain words, as the first part of results/README.md.

Every figure is computed from the folders' results.csv. Exit codes: 0; 1 with --check, if the page is not what the files
give; 2 usage, or a file that cannot be read, is missing, or is not as nsbench writes it.
"""

import argparse
import sys
from pathlib import Path

from answers import files, outputs
from answers.script import of_system
from lab import recorded
from lab.commands import Commands
from lab.errors import FAILED, OK, USAGE, LabError
from lab.sections import SECTIONS, section

BEGIN = "<!-- made by scripts/lab.py page: do not edit by hand -->"
END = "<!-- end of what scripts/lab.py page makes -->"


def replaced(readme: Path, text: str, part: str) -> str:
    """The page's text with this part in the place of the old one. LabError for a page without the marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise LabError(f"{readme} has lost the marks between which the generated part stands", USAGE)
    return f"{before}{BEGIN}\n\n{part}{END}{after}"


def page(options: argparse.Namespace) -> int:
    """The command. A file that fails is no answer to --check."""
    try:
        return make(options)
    except OSError as error:
        if error.filename is None:  # of standard output, which is no file of the runs'
            raise
        raise LabError(of_system(error), USAGE) from None


def make(options: argparse.Namespace) -> int:
    """Reads the runs, and prints, checks or writes the page."""
    runs = recorded.read_all(options.directory)
    part = (
        "\n".join(
            line
            for name in ([options.section] if options.section else SECTIONS)
            for line in section(name, runs)
        )
        + "\n"
    )
    if not part.strip():
        raise LabError(f"{options.directory}: no run in it has what --section={options.section} is made from", USAGE)
    readme = options.directory / "README.md"
    if options.section or not readme.exists():
        sys.stdout.write(part)
        return OK
    text = files.text_of(readme)
    made = replaced(readme, text, part)
    if options.check:
        if made != text:
            raise LabError(
                f"{readme} is not what the recorded runs give: scripts/lab.py page writes it", FAILED
            )
    elif made != text:
        outputs.replace(readme, made.encode())
    return OK


def add_parser(commands: Commands) -> None:
    """Adds the command to lab.py's."""
    one = commands.add_parser(
        "page",
        help="what recorded runs show, in words; rewrites results/README.md",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument(
        "directory",
        nargs="?",
        type=Path,
        default=recorded_default(),
        metavar="DIR",
        help="with a folder for each kernel (results); printed if it has no README.md",
    )
    one.add_argument("--section", choices=SECTIONS, help="print this one alone")
    one.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 if the page is not what the files give"
    )
    one.set_defaults(command=page)


def recorded_default() -> Path:
    """results/ of this source tree."""
    return Path(__file__).resolve().parents[2] / "results"
