"""Runs in the formats of other systems: FORMATS is the table of them. Each has a module with `files_of(run, wanted)`: texts by their
paths below the output, where a format of one file has it under no name. Those load pandas; this module does not."""
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from analysis.read import Run


@dataclass(frozen=True)
class Wanted:
    """What the command line says besides the format."""

    origin: str
    build_id: str | None


@dataclass(frozen=True)
class Format:
    """What the help says of it, and whether it is a folder."""

    module: str
    meaning: str
    is_folder: bool = False

    def files_of(self, run: "Run", wanted: Wanted) -> dict[str, str]:
        """Unreadable where the run cannot be written so."""
        return cast(dict[str, str], importlib.import_module(f"analysis.{self.module}").files_of(run, wanted))


FORMATS = {
    "openmetrics": Format("export_openmetrics", "a text file of OpenMetrics, for a collector that reads such files"),
    "kcidb": Format("export_kcidb", "KCIDB's JSON, schema 5.3: a test for each row"),
    "lkp": Format("export_lkp", "a folder (-o DIR) with a program and a job for Intel's LKP, which measure what the run measured",
                  is_folder=True)}
