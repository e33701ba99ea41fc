#!/usr/bin/python3
"""A run in the format of another system.

    nsbench export RUN --format=FORMAT [-o FILE|-]

A RUN is a folder that `nsbench --out` wrote, or its results.csv. Google Benchmark's JSON is nsbench's own (--json); the JSON
Schema of run.json is scripts/analysis/run.schema.json.
Exit codes: 0 written; 2 usage, or a run that cannot be read or be written so.
"""
from analysis import interrupt  # first, for a Ctrl-C among the imports
import argparse
import os
import sys
from pathlib import Path

from analysis import exports, outputs
from analysis.options import Parser
from analysis.script import Unreadable, main

MORE = "\n".join(["formats:", *(f"  {name:<12} {form.meaning}" for name, form in exports.FORMATS.items())])
ORIGIN = "nsbench"


def parser() -> Parser:
    """The command line."""
    one = Parser(prog="scripts/export.py", description=__doc__, epilog=MORE, allow_abbrev=False,
                 formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("run", type=Path, metavar="RUN", help="a run's folder, or a results.csv")
    one.add_argument("--format", required=True, choices=exports.FORMATS, help="see below")
    one.add_argument("-o", "--out", default="-", metavar="FILE|-", help="where to (standard output); lkp: a folder")
    one.add_argument("--origin", default=ORIGIN, metavar="NAME", help="kcidb: the CI that reports (%(default)s)")
    one.add_argument("--build-id", metavar="ORIGIN:ID", help="kcidb: the build of the kernel, as that CI reported it; else one is "
                     "reported of which only the release is known")
    return one


def write(folder: Path, files: dict[str, str]) -> None:
    """Into a folder of one's own; scripts can be run."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        outputs.replace(path, text.encode())
        if text.startswith("#!"):
            os.chmod(path, 0o755)
        print(path)


def export(words: list[str]) -> int:
    """The script."""
    options = parser().parse_args(words)
    if options.format != "kcidb" and (options.build_id or options.origin != ORIGIN):
        raise Unreadable(f"--origin and --build-id are for --format=kcidb, and not for {options.format}")
    from analysis import read  # only now: --help is there without pandas
    interrupt.ready()
    form = exports.FORMATS[options.format]
    if form.is_folder and options.out == "-":
        raise Unreadable(f"--format={options.format}: -o DIR is needed, since it is a folder")
    run = read.read_run(options.run)
    files = form.files_of(run, exports.Wanted(options.origin, options.build_id))
    if form.is_folder:
        outputs.own_folder(Path(options.out))
        write(Path(options.out), files)
    elif options.out == "-":
        sys.stdout.write(files[""])
    else:
        outputs.replace(Path(options.out), files[""].encode())
    return 0


if __name__ == "__main__":
    main(export, "export")
