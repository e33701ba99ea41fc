"""page: what the recorded runs show, in plain words, as the first part of results/README.md.

Every figure is computed from the folders' files. Beside it are written the tables that it leads to, in results/functions: all
kernel functions behind each kind's cost. Exit codes: 0; 1 with --check, if these are not what the files give; 2 usage, or a
file that cannot be read, is missing, or is not as nsbench writes it.
"""

import argparse
import sys
from pathlib import Path

from analysis import files, outputs, programs
from analysis.script import of_system
from lab import function_pages, recorded
from lab.commands import Commands
from lab.errors import FAILED, OK, USAGE, LabError
from lab.page_sections import SECTIONS, section

BEGIN = function_pages.MARK
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
    made = {readme: replaced(readme, files.text_of(readme), part),
            **{options.directory / path: text for path, text in function_pages.pages(runs).items()}}
    if options.check:
        check(made, options.directory)
    else:
        write(made, options.directory)
    return OK


def left_over(made: dict[Path, str], directory: Path) -> list[Path]:
    """Tables of an earlier page that this one has none for."""
    return [path for path in sorted((directory / function_pages.FOLDER).glob("*.md")) if path not in made]


def check(made: dict[Path, str], directory: Path) -> None:
    """LabError where a file is not what is made."""
    for path, text in made.items():
        if not path.exists() or path.read_bytes() != text.encode():
            raise LabError(f"{path} is not what the recorded runs give: scripts/lab.py page writes it", FAILED)
    for path in left_over(made, directory):
        raise LabError(f"{path} is of no recorded run: scripts/lab.py page removes it", FAILED)


def write(made: dict[Path, str], directory: Path) -> None:
    """Makes the files that are not so yet, and removes those of an earlier page."""
    for path, text in made.items():
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_bytes() != text.encode():
            outputs.replace(path, text.encode())
    for path in left_over(made, directory):
        path.unlink()


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
        default=programs.recorded(),
        metavar="DIR",
        help="with a folder for each kernel (results); printed if it has no README.md",
    )
    one.add_argument("--section", choices=SECTIONS, help="print this one alone")
    one.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 if the page and its tables are not what the files give"
    )
    one.set_defaults(command=page)
