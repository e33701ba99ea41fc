"""Steps: from one kernel to the next, the rows that moved by more than both sides' resolutions, and what moved at once by the same
function as one entry."""
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from lab import orders
from lab.history.table import DRAIN, Key, Row, Value, What, by_member
from lab.history.versions import Edge, Kind, edges

NAMED = 4  # functions of a step, where there is little room
LEAST_SHARE = 0.25  # of a step, of what is said to have made it
LEAST_BESIDE = 0.05  # of a step, of a function that is named where something else made it
LEAST = 100  # instructions of a step that is worth a look
LEAST_OF_FACTOR = 1000  # instructions of a step that has a factor: small ones have large factors
AS_MUCH = 0.1  # by which a step that goes back may differ from the one before it, where their resolutions are less
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
    medians: tuple[float, float] | None = None  # of a delta: by how much the case's own median moved, and its base's
    back: str = ""  # the later kernel of the series in which it goes back
    undoes: str = ""  # the earlier kernel whose step it takes back

    @property
    def size(self) -> float:
        return self.after.value - self.before.value

    @property
    def resolution(self) -> float:
        return self.before.resolution + self.after.resolution

    @property
    def factor(self) -> float:
        """The figure after it for each instruction of the one before it, where what is next to nothing counts as LEAST; 1 where the step is
        a small one."""
        before, after = (max(one.value, LEAST) for one in (self.before, self.after))
        return after / before if abs(self.size) >= LEAST_OF_FACTOR else 1.0

    @property
    def beyond(self) -> float:
        """The part of its size that no meaningless variation makes."""
        return abs(self.size) - self.resolution

    @property
    def sure_factor(self) -> float:
        """As `factor`, up or down, of that part alone; 1 or more."""
        if self.factor == 1.0:
            return 1.0
        low, high = sorted(max(one.value, LEAST) for one in (self.before, self.after))
        return max(high - self.resolution, low) / low

    @property
    def is_below_none(self) -> bool:
        """Whether the case costs less than its base after it."""
        return self.after.what is What.delta and self.after.value < -self.after.resolution

    @property
    def is_waiting(self) -> bool:
        """Whether its figure is mostly time in which nothing is executed: an idle guest's clock jumps to its next timer."""
        return self.key[1] == DRAIN

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
    steps: tuple[Step, ...]  # the largest first, by size less resolution

    @property
    def size(self) -> float:
        """Of the row that moved most."""
        return self.steps[0].size

    @property
    def is_waiting(self) -> bool:
        """Waiting and executing are never in one entry."""
        return self.steps[0].is_waiting

    @property
    def beyond(self) -> float:
        """Of the row that moved most."""
        return self.steps[0].beyond

    @property
    def by_factor(self) -> Step:
        """The row that moved by the largest factor."""
        return max(self.steps, key=lambda step: (step.sure_factor, abs(math.log(step.factor))))

    @property
    def factor(self) -> float:
        return self.by_factor.factor


@dataclass(frozen=True)
class Compared:
    """The steps, in the order of the newer kernel, and what was not held against each other: edges between kernels that have no row of
    the same plan, and rows that are a delta on one side and a median on the other."""

    steps: list[Step]
    other_plans: int
    other_kinds: int

    @property
    def left_out(self) -> list[str]:
        """A sentence for each."""
        return [f"{count} {what}" for count, what in (
            (self.other_plans, "edges between different plans are not compared"),
            (self.other_kinds, "pairs of a delta and a median are not compared")) if count]


def moved(base: Mapping[Key, Row], new: Mapping[Key, Row], key: Key) -> float | None:
    """By how much this row's own median moved; None where a side has none."""
    pair = base.get(key), new.get(key)
    before, after = (one.figures.get(What.median.name) if one else None for one in pair)
    return None if before is None or after is None else after - before


def medians_of(base: Mapping[Key, Row], new: Mapping[Key, Row], key: Key) -> tuple[float, float] | None:
    """By how much the case's own median moved, and its base's; None where one is not known."""
    own, of_base = moved(base, new, key), moved(base, new, (orders.base_of(key[0]), key[1]))
    return None if own is None or of_base is None else (own, of_base)


def goes_back(one: Step, later: Step) -> bool:
    """Whether the later one, between two kernels of the series that the first one leads to, takes it back: by as much, within the
    resolutions of both or a tenth. Figures that depend on where memory lies change so from one update to another."""
    new, base = one.edge.new, later.edge.base
    follows = later.edge.kind in (Kind.update, Kind.compiler) and (new.series, new.compiler) == (base.series, base.compiler) \
        and new.key <= base.key
    return follows and one.edge.kind is not Kind.compiler and one.key == later.key and one.size * later.size < 0 \
        and abs(one.size + later.size) <= max(one.resolution + later.resolution, AS_MUCH * abs(one.size))


def with_ways_back(every: list[Step]) -> list[Step]:
    """The steps; those that go back, and those that take one back, with the other's kernel: of each the first that does, and each once."""
    by_key: dict[Key, list[int]] = {}
    for at, step in enumerate(every):
        by_key.setdefault(step.key, []).append(at)
    found = list(every)
    for places in by_key.values():
        for at in places:
            later = [other for other in places if not found[other].undoes and goes_back(found[at], found[other])]
            if later:
                first = min(later, key=lambda other: found[other].edge.base.key)
                found[at] = replace(found[at], back=found[first].edge.new.version or found[first].edge.new.name)
                found[first] = replace(found[first], undoes=found[at].edge.new.version or found[at].edge.new.name)
    return found


def compared(rows: Iterable[Row]) -> Compared:
    """Each kernel with the one before it."""
    by = by_member(rows)
    found, other_plans, other_kinds = [], 0, 0
    for edge in edges(by):
        base, new = by[edge.base], by[edge.new]
        common = [key for key in sorted(base.keys() & new.keys()) if base[key].plan == new[key].plan]
        other_plans += not common
        for key in common:
            before, after = base[key].shown, new[key].shown
            if not before or not after:
                continue
            if before.what is not after.what:
                other_kinds += 1
            elif abs(after.value - before.value) > before.resolution + after.resolution:
                medians = medians_of(base, new, key) if after.what is What.delta else None
                found.append(Step(edge, key, before, after, medians))
    return Compared(with_ways_back(found), other_plans, other_kinds)


def functions_in(changes: Changes) -> dict[str, float]:
    """By how much each function changed. A name in brackets is none: it stands for the tick, another task, or the call's own entry."""
    return {name: after - before for name, (before, after) in changes.items() if not name.startswith("[")}


def others_in(changes: Changes, size: float) -> dict[str, float]:
    """By how much that changed which is no function of the call, where it is a large part of the step: other tasks, such as a worker that
    runs within the phase on one of the two kernels, and after it on the other. The largest first."""
    sizes = {name: after - before for name, (before, after) in changes.items() if name.startswith("[")}
    return {name: sizes[name] for name in by_size(sizes) if abs(sizes[name]) >= LEAST_SHARE * abs(size)}


def main_function(changes: Changes, size: float) -> tuple[str, float]:
    """The function whose own instructions changed most in the direction of the step, and by how much; none where that is a small part of
    the step, which then is not by one function."""
    sizes = {name: change for name, change in functions_in(changes).items()
             if change * size > 0 and abs(change) >= LEAST_SHARE * abs(size)}
    name = max(sorted(sizes), key=lambda one: abs(sizes[one]), default="")
    return name, sizes.get(name, 0.0)


def unexplained(step: Step, changes: Changes) -> float | None:
    """What neither the functions have of the step nor the other tasks that are named; None where that is within its resolution."""
    left = step.size - sum(functions_in(changes).values()) - sum(others_in(changes, step.size).values())
    return left if abs(left) > step.resolution else None


def entries(every: Iterable[Step], explained: Explained) -> list[Entry]:
    """The steps put together, the largest first, by size less resolution, and those of waiting behind all others. One function makes an
    entry of those that it moved in the same direction."""
    groups: dict[tuple[Edge, bool, str, str, bool], list[tuple[Step, float]]] = {}
    for step in every:
        function, change = main_function(explained.get(step.name, {}), step.size)
        groups.setdefault((step.edge, step.is_waiting, function, "" if function else step.key[0], change > 0), []).append((step, change))
    found = []
    for (edge, _, function, *_), group in groups.items():
        group.sort(key=lambda one: (-one[0].beyond, one[0].key))
        found.append(Entry(edge, function, group[0][1], tuple(step for step, _ in group)))
    return sorted(found, key=lambda one: (one.is_waiting, -one.beyond, one.edge.new.key, one.edge.base.key, one.steps[0].key))


def alike(one: Entry, other: Entry) -> bool:
    """Whether the two are the same step in two lines of kernels: a fix that was backported, or came with the next series."""
    comparable = {one.edge.kind, other.edge.kind} <= {Kind.update, Kind.series}
    elsewhere = (one.edge.new.series, one.edge.new.compiler) != (other.edge.new.series, other.edge.new.compiler)
    same = one.function != "" and one.function == other.function and one.change * other.change > 0
    cases = {step.key for step in one.steps} & {step.key for step in other.steps}
    return comparable and elsewhere and same and bool(cases) and \
        abs(one.change - other.change) <= ALIKE * max(abs(one.change), abs(other.change))


def by_size(changes: Mapping[str, float]) -> list[str]:
    """The names, what changed most first."""
    return sorted(changes, key=lambda name: (-abs(changes[name]), name))


def named(one: Entry, explained: Explained, step: Step | None = None) -> list[str]:
    """The functions that stand with an entry where there is little room: the one that made it an entry, and those that changed most in
    this row, or in the one that moved most. Where other tasks made the step, no function that has next to nothing of it."""
    step = step or one.steps[0]
    changes = explained.get(step.name, {})
    sizes = functions_in(changes)
    least = LEAST_BESIDE * abs(step.size) if others_in(changes, step.size) else 0
    names = [name for name in by_size(sizes) if abs(sizes[name]) >= least]
    return sorted(names, key=lambda name: name != one.function)[:NAMED]


def json_of(found: list[Entry], explained: Explained, named: int = 12) -> list[dict[str, object]]:
    """The entries as they stand in steps.json: other tasks that are a large part of the step, and of the functions the one that made it an
    entry, and those that changed most."""
    content: list[dict[str, object]] = []
    for one in found:
        changes = explained.get(one.steps[0].name)
        left = None if changes is None else unexplained(one.steps[0], changes)
        names = sorted(by_size(functions_in(changes or {})), key=lambda name: name != one.function)[:named]
        names = [*others_in(changes or {}, one.size), *names]
        largest = [(name, *(changes or {})[name]) for name in names]
        content.append({
            "from": one.edge.base.name, "from_version": one.edge.base.version, "to": one.edge.new.name,
            "to_version": one.edge.new.version, "kind": one.edge.kind.value, "function": one.function or None, "instructions": one.size,
            "rows": [{"case": step.key[0], "phase": step.key[1], "before": step.before.value, "after": step.after.value,
                      "resolution": step.resolution, **({"back": step.back} if step.back else {}),
                      **({"undoes": step.undoes} if step.undoes else {})} for step in one.steps],
            "functions": [{"function": name, "before": round(before, 1), "after": round(after, 1)} for name, before, after in largest],
            **({} if left is None else {"unexplained": round(left, 1)}),
            "also": [f"{other.edge.base.name} → {other.edge.new.name}" for other in found if other is not one and alike(one, other)]})
    return content
