"""How the scripts begin and end: without pandas, so that --help and an interruption work before it is loaded."""
import lzma
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

UNREADABLE = 2
IMPOSSIBLE = 3  # a package is missing
INTERRUPTED = 130


class Unreadable(Exception):
    """What the user is told, in one line: the file or option, what is wrong with it, and where that helps, the remedy."""


def text_of(path: Path) -> str:
    """The text of a file, which may be compressed by xz. OSError becomes Unreadable, except that a file that is not there stays FileNotFoundError."""
    try:
        if path.suffix == ".xz":
            with lzma.open(path, "rt", encoding="utf-8") as file:
                return file.read()
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise
    except EOFError:
        raise Unreadable(f"{path}: cut off: the end of the compressed file is missing") from None
    except UnicodeDecodeError:
        raise Unreadable(f"{path}: not a text file") from None
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    except lzma.LZMAError as error:
        raise Unreadable(f"{path}: {error}") from None


def main(body: Callable[[list[str]], int], name: str) -> NoReturn:
    """Runs a script's body with the command line's words and exits with what it returns. What cannot be read is one line
    with the script's name, and 2; never a traceback."""
    if sys.stderr is None:  # closed; print would take standard output instead
        sys.stderr = open(os.devnull, "w")
    try:
        if sys.stdout is None:  # refused at once: the next file that is opened would take its place
            raise Unreadable("standard output is closed: >/dev/null does away with it")
        code = body(sys.argv[1:])
        sys.stdout.flush()
    except Unreadable as error:
        print(f"{name}: {error}", file=sys.stderr)
        code = UNREADABLE
    except BrokenPipeError:  # the reader of the pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = UNREADABLE
    except OSError as error:
        print(f"{name}: {f'{error.filename}: ' if error.filename else ''}{error.strerror}", file=sys.stderr)
        code = UNREADABLE
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        code = INTERRUPTED
    except ImportError as error:
        print(f"{name}: python3-{error.name} is missing: apt-get install python3-{error.name}", file=sys.stderr)
        code = IMPOSSIBLE
    except Exception:  # a mistake of the script's: never with the 1 that says slower
        traceback.print_exc()
        code = UNREADABLE
    sys.exit(code)
