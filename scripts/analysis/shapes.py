"""The shape of blocks, lead-in and counted samples: runs that differ in it measure different things."""
from collections.abc import Sequence

from analysis.script import Unreadable
from analysis.sources import Source

Shapes = dict[str, tuple[int, int]]


def shapes_of(source: Source) -> Shapes:
    """Of a run, by class; empty where it does not say."""
    found = source.run.info.get("measuring", {}).get("block_shapes", {}) if source.run else {}
    return {name: (shape["lead_in"], shape["samples"]) for name, shape in found.items()}


def shape_notes(runs: Sequence[Source]) -> list[str]:
    """What is not known of the shapes. Unreadable where two runs have blocks of one class in different ones."""
    first: dict[str, tuple[tuple[int, int], str]] = {}
    for source in runs:
        for name, shape in shapes_of(source).items():
            other, whose = first.setdefault(name, (shape, source.name))
            if other != shape:
                raise Unreadable(f"blocks differ, and so does what they measure: {_said(other)} in {whose}, {_said(shape)} in "
                                 f"{source.name} (class {name}): measure both by one nsbench with the same --samples, --block "
                                 "and --lead-in")
    unknown = [source.name for source in runs if source.run and source.run.info and not shapes_of(source)]
    if not unknown:
        return []
    which = f"{unknown[0]} and {len(unknown) - 1} more" if len(unknown) > 1 else unknown[0]
    return [f"unknown how long the blocks of {which} were: an earlier nsbench chose that by how busy the machine was, and the "
            "first samples of a block take up to 8% longer"]


def _said(shape: tuple[int, int]) -> str:
    return f"{shape[0]} uncounted and {shape[1]} counted samples"
