"""How the scripts begin and end: without pandas, so that --help and an interruption work before it is loaded."""
import io
import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from analysis.programs import as_called, called

UNREADABLE = 2
IMPOSSIBLE = 3  # a package is missing
INTERRUPTED = 130
# Module → Debian's package.
PACKAGES = {name: f"python3-{name}" for name in ("jsonschema", "matplotlib", "numpy", "pandas", "scipy", "statsmodels")} | {
    "apt_pkg": "python3-apt", "elftools": "python3-pyelftools", "prometheus_client": "python3-prometheus-client"}
UNREAD = 141  # 128 and SIGPIPE


class Unreadable(Exception):
    """What the user is told, in one line: the file or option, what is wrong with it, and where that helps, the remedy."""


def printable(text: str) -> str:
    """The text with what would not stand on one line of a terminal, or would steer it, escaped."""
    return text if text.isprintable() else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def one_line(text: object) -> str:
    """A message that calls scripts as they were started, on one line: some of it comes out of files."""
    return printable(as_called(str(text)))


def missing_package(error: ImportError) -> str | None:
    """Debian's package of the module that is missing; None for another fault of an import, which is a mistake of the script's."""
    name = (error.name or "").partition(".")[0]
    return PACKAGES.get(name) if isinstance(error, ModuleNotFoundError) else None


def last_line(text: str) -> str:
    """What a program said at the end, behind a colon; empty where it said nothing."""
    lines = text.strip().splitlines()
    return f": {lines[-1]}" if lines else ""


def of_system(error: OSError) -> str:
    """What the system says, with the file where it is about one."""
    return f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}"


def main(body: Callable[[list[str]], int], name: str) -> NoReturn:
    """Runs a script's body with the command line's words and exits with what it returns. What cannot be read is one line
    with the script's name, and 2; never a traceback."""
    name = called(name)
    if sys.stderr is None:  # closed; print would take standard output instead
        sys.stderr = open(os.devnull, "w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="surrogateescape")  # names of files are any bytes
    try:
        if sys.stdout is None:  # refused at once: the next file that is opened would take its place
            raise Unreadable("standard output is closed: >/dev/null does away with it")
        try:
            code = body(sys.argv[1:])
        except SystemExit as ended:  # argparse has said it all; what it printed may not be out yet
            code = ended.code if isinstance(ended.code, int) else 0
        sys.stdout.flush()
    except Unreadable as error:
        print(f"{name}: {one_line(error)}", file=sys.stderr)
        code = UNREADABLE
    except BrokenPipeError:  # the reader of the pipe has seen enough: as of any program, nothing to be said
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = UNREAD
    except OSError as error:
        print(f"{name}: {one_line(of_system(error))}", file=sys.stderr)
        code = UNREADABLE
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        code = INTERRUPTED
    except Exception as error:
        if isinstance(error, ImportError) and (package := missing_package(error)):
            print(f"{name}: {package} is missing: apt-get install {package}", file=sys.stderr)
            code = IMPOSSIBLE
        else:  # a mistake of the script's: never with the 1 that says slower
            traceback.print_exc()
            code = UNREADABLE
    sys.exit(code)
