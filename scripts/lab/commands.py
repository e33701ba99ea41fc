"""What a command of lab.py is added to."""
import argparse
from typing import Protocol


class Commands(Protocol):
    """The subparsers of argparse, whose class has no public name."""

    def add_parser(self, name: str, *, help: str = ..., description: str | None = ..., allow_abbrev: bool = ...,
                   formatter_class: type[argparse.HelpFormatter] = ...) -> argparse.ArgumentParser: ...
