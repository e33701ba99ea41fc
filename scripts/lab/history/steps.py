"""Steps: from one kernel to the next, the rows that moved by more than both sides' resolutions, and what moved at once by the same
function as one entry."""
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lab.history.table import Key, Row, Value, by_member
from lab.history.versions import Edge, Kind, edges

ALIKE = 0.25  # by which the main function's change may differ in what is taken for the same step elsewhere
Changes = Mapping[str, tuple[float, float]]  # by function: its own instructions before and after
Explained = Mapping[tuple[str, str, str, str], Changes]  # by the kernels' names, the case and the phase


@dataclass(frozen=True)
class Step:
    """One row that moved."""

    edge: Edge
    key: Key
    before: Value
    after: Value

    @property
    def size(self) -> float:
        return self.after.value - self.before.value

    @property
    def resolution(self) -> float:
        return self.before.resolution + self.after.resolution

    @property
    def name(self) -> tuple[str, str, str, str]:
        """By which its functions are found."""
        return self.edge.base.name, self.edge.new.name, *self.key


@dataclass(frozen=True)
class Entry:
    """Rows that moved at once from one kernel to the next: by the same function, whose change is the largest in each of them, or,
    where functions are not known, the phases of one case."""

    edge: Edge
    function: str  # empty where it is not known
    change: float  # of that function, in the row that moved most
    steps: tuple[Step, ...]  # the largest first

    @property
    def size(self) -> float:
        """Of the row that moved most."""
        return self.steps[0].size


def steps(rows: Iterable[Row]) -> list[Step]:
    """All of them, in the order of the newer kernel. Kernels that were measured by different plans are not held against each
    other."""
    by = by_member(rows)
    found = []
    for edge in edges(by):
        base, new = by[edge.base], by[edge.new]
        for key in sorted(base.keys() & new.keys()):
            before, after = base[key].shown, new[key].shown
            if before and after and base[key].plan == new[key].plan and \
                    abs(after.value - before.value) > before.resolution + after.resolution:
                found.append(Step(edge, key, before, after))
    return found


def main_function(changes: Changes) -> tuple[str, float]:
    """The function whose own instructions changed most, and by how much."""
    sizes = {name: after - before for name, (before, after) in changes.items()}
    name = max(sorted(sizes), key=lambda one: abs(sizes[one]), default="")
    return name, sizes.get(name, 0.0)


def entries(every: Iterable[Step], explained: Explained) -> list[Entry]:
    """The steps put together, the largest first."""
    groups: dict[tuple[Edge, str, str], list[tuple[Step, float]]] = {}
    for step in every:
        function, change = main_function(explained.get(step.name, {}))
        groups.setdefault((step.edge, function, "" if function else step.key[0]), []).append((step, change))
    found = []
    for (edge, function, _), group in groups.items():
        group.sort(key=lambda one: (-abs(one[0].size), one[0].key))
        found.append(Entry(edge, function, group[0][1], tuple(step for step, _ in group)))
    return sorted(found, key=lambda one: (-abs(one.size), one.edge.new.key, one.edge.base.key, one.steps[0].key))


def alike(one: Entry, other: Entry) -> bool:
    """Whether the two are the same step in two lines of kernels: a fix that was backported, or came with the next series."""
    comparable = {one.edge.kind, other.edge.kind} <= {Kind.update, Kind.series}
    elsewhere = (one.edge.new.series, one.edge.new.compiler) != (other.edge.new.series, other.edge.new.compiler)
    same = one.function != "" and one.function == other.function and one.change * other.change > 0
    cases = {step.key for step in one.steps} & {step.key for step in other.steps}
    return comparable and elsewhere and same and bool(cases) and \
        abs(one.change - other.change) <= ALIKE * max(abs(one.change), abs(other.change))


def json_of(found: list[Entry], explained: Explained, named: int = 12) -> list[dict[str, object]]:
    """The entries as they stand in steps.json: of the functions those that changed most."""
    content: list[dict[str, object]] = []
    for one in found:
        changes = explained.get(one.steps[0].name, {})
        largest = sorted(changes.items(), key=lambda item: (-abs(item[1][1] - item[1][0]), item[0]))[:named]
        content.append({
            "from": one.edge.base.name, "from_version": one.edge.base.version, "to": one.edge.new.name,
            "to_version": one.edge.new.version, "kind": one.edge.kind.value, "function": one.function or None, "instructions": one.size,
            "rows": [{"case": step.key[0], "phase": step.key[1], "before": step.before.value, "after": step.after.value,
                      "resolution": step.resolution} for step in one.steps],
            "functions": [{"function": name, "before": round(before, 1), "after": round(after, 1)} for name, (before, after) in largest],
            "also": [f"{other.edge.base.name} → {other.edge.new.name}" for other in found if other is not one and alike(one, other)]})
    return content
