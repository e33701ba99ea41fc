"""curves-page: how costs grow, by the recorded curves, as results/curves/README.md.

All figures and sentences on them are computed from the folders' files, which `lab.py curves` makes. Exit codes: 0; 1 with --check,
if the page is not what the files give; 2 usage, or a file that is missing or is not as nsbench writes it; 3 a library is missing.
"""
import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from analysis import outputs
from analysis.script import of_system
from lab import curves
from lab.commands import Commands
from lab.errors import FAILED, OK, USAGE, LabError
from lab.format import filled

if TYPE_CHECKING:  # not before pandas is needed
    from lab.curves_recorded import Kernel

HEAD = """# How costs grow

<!-- made by scripts/lab.py curves-page: do not edit by hand -->

What does one more mount, peer, net namespace, MiB or level cost? Each case was measured in the lab with so many of them around it
([conditions](../../bench/README.md#conditions)), each level in a copy of its own of a saved machine, on {kernels}. Figures are
instructions executed: exact, and no time. A law is chosen among six by its likelihood (`weight`, [growth
laws](../../scripts/README.md#growth-laws)); what it misses is in the residuals. A line from one level to the next is no law.

```
scripts/lab.py curves
scripts/lab.py curves-page
nsbench curves results/curves/*/mounts
```

Other tasks of the guest's one CPU run in some of these calls, and are in their figures. The exact profile has them apart: where
six levels or more were profiled, the law of the call alone stands below that of the whole figure.
"""


def text_of(kernels: "list[Kernel]") -> str:
    """The page."""
    from lab.curves_sections import SECTIONS, absent, builds
    from lab.curves_states import unlike
    names = [kernel.name for kernel in kernels]
    named = ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]
    lines = [*HEAD.format(kernels=named).splitlines(), "", *absent(kernels), *builds(kernels), *unlike(kernels)]
    for title, make in SECTIONS.values():
        if found := make(kernels):
            lines += [f"## {title}", "", *found]
    text = "\n".join(filled(lines))
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.rstrip("\n") + "\n"


def curves_page(options: argparse.Namespace) -> int:
    """The command."""
    from lab import curves_recorded
    try:
        text = text_of(curves_recorded.read_all(options.directory))
        page = options.directory / "README.md"
        if options.stdout:
            sys.stdout.write(text)
        elif options.check:
            if not page.exists() or page.read_bytes() != text.encode():
                raise LabError(f"{page} is not what the recorded curves give: scripts/lab.py curves-page writes it", FAILED)
        elif not page.exists() or page.read_bytes() != text.encode():
            outputs.replace(page, text.encode())
    except OSError as error:
        if error.filename is None:  # of standard output, which is no file of the runs'
            raise
        raise LabError(of_system(error), USAGE) from None
    return OK


def add_parser(commands: Commands) -> None:
    """Adds the command to lab.py's."""
    one = commands.add_parser("curves-page", help="how costs grow, by the recorded curves; rewrites results/curves/README.md",
                              description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("directory", nargs="?", type=Path, default=curves.RESULTS, metavar="DIR",
                     help="with a folder for each kernel in it (results/curves)")
    one.add_argument("--stdout", action="store_true", help="print the page, and write none")
    one.add_argument("--check", action="store_true", help="change nothing; exit 1 if the page is not what the files give")
    one.set_defaults(command=curves_page)
