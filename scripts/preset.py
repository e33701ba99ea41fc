#!/usr/bin/python3
"""What was reported in public about the cost of namespaces, and the same here.

    nsbench preset
    nsbench preset NAME...

Each preset repeats one report: it prints the source's figures with their kernel and machine beside ours, the ratio, and what ours
does otherwise. Without a name it lists the presets; all is each of them. What cannot be had here is named with its reason, and the
rest goes on. Two figures side by side confirm nothing: the kernel, the machine and the programs are others.
Exit codes: 0 each figure was measured; 1 one was not; 2 usage; 3 none was; 130 interrupted, after what was measured.
"""
from analysis import interrupt  # first, for a Ctrl-C among the imports
import argparse
import difflib
import signal
from pathlib import Path

from analysis import programs
from analysis.commands import folder_for_runs
from analysis.options import Parser
from analysis.script import IMPOSSIBLE, INTERRUPTED, Unreadable, main

ALL = "all"
FORMATS = ("text", "markdown", "json")
A_FIGURE_IS_MISSING = 1
ENDING = (signal.SIGTERM, signal.SIGHUP)  # end it as an interrupt does


def parser() -> Parser:
    """The command line."""
    one = Parser(prog="scripts/preset.py", description=__doc__, allow_abbrev=False,
                 formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("presets", nargs="*", metavar="PRESET", help="what to repeat, or all")
    one.add_argument("--list", action="store_true", help="what there is, what it repeats, and about how long it takes on 2 CPUs")
    one.add_argument("--out", type=Path, metavar="DIR", help="keep there what nsbench wrote, and presets.json: what was measured")
    one.add_argument("--format", choices=FORMATS, default="text", help="of what is printed (%(default)s)")
    return one


def preset(words: list[str]) -> int:
    """The script."""
    options = parser().parse_args(words)
    from analysis import preset_run, preset_text, presets
    interrupt.ready()
    for name in options.presets:
        if name not in (ALL, *presets.NAMES):
            near = difflib.get_close_matches(name, presets.NAMES, 1)
            raise Unreadable(f"{name}: no preset{f'; the nearest is {near[0]}' if near else ''} (scripts/preset.py lists them)")
    wanted = [one for one in presets.PRESETS if one.name in options.presets or ALL in options.presets]
    if options.list or not wanted:
        print(preset_text.listed(wanted or presets.PRESETS, options.format), end="")
        return 0
    nsbench = programs.find("nsbench")
    if nsbench is None:
        raise Unreadable(f"nsbench is missing: {programs.remedy()}")
    for ending in ENDING:
        signal.signal(ending, signal.default_int_handler)  # so that settings are put back, and what was measured is shown
    progress = preset_run.Progress(wanted)
    results: list[preset_run.Repeated] = []
    interrupted = False
    with folder_for_runs(options.out, "preset") as folder:
        try:
            for one in wanted:
                (folder / one.name).mkdir()
                results.append(preset_run.Repeated(one))
                preset_run.repeat(one, nsbench, folder / one.name, progress, results[-1])
                if options.format != "json":
                    print(("\n" if len(results) > 1 else "") + preset_text.render(results[-1:], options.format), end="", flush=True)
        except KeyboardInterrupt:
            interrupted = True
            if options.format != "json":
                print(("\n" if len(results) > 1 else "") + preset_text.render(results[-1:], options.format), end="")
        if options.out:
            (folder / "presets.json").write_text(preset_text.as_json(results))
    if options.format == "json":
        print(preset_text.as_json(results), end="")
    return INTERRUPTED if interrupted else exit_code([taken.value for result in results for taken in result.taken if taken.point.run])


def exit_code(figures: list[float | None]) -> int:
    """Of the figures that could have been measured."""
    if None not in figures:
        return 0
    return A_FIGURE_IS_MISSING if any(figure is not None for figure in figures) else IMPOSSIBLE


if __name__ == "__main__":
    main(preset, "preset")
