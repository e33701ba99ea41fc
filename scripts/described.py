#!/usr/bin/python3
"""What the commands that are scripts take, for callers of nsbench: its completion, and the manual.

    described.py complete NAME WORDS...    what may be in the place of the last word, as `nsbench complete` says it
    described.py table NAME                the options and the commands below it, as JSON
"""
import json
import sys

from analysis.described import candidates, parser_of, table
from analysis.script import Unreadable, main


def body(words: list[str]) -> int:
    """The script."""
    if len(words) > 2 and words[0] == "complete":
        print("".join(f"{line}\n" for line in candidates(parser_of(words[1]), words[2:])), end="")
    elif len(words) == 2 and words[0] == "table":
        json.dump(table(parser_of(words[1])), sys.stdout, indent=2)
    else:
        raise Unreadable("complete NAME WORDS..., or table NAME, is needed")
    return 0


if __name__ == "__main__":
    main(body, "described")
