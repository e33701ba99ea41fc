"""The page's section from the exact profiles: every function, the network's subsystems, and what explains each change."""
from answers.kinds import ALL, KINDS
from lab import books, explain, tree
from lab.books import Book, Books
from lab.recorded import Recorded
from lab.section_functions import AGREES, agrees, name_of
from lab.words import Runs, all_of, k, table

TOP = 5  # functions of a kind
SUBSYSTEMS = 15  # of the network
NAMED = 5  # functions in a sentence
LEAST = 200  # instructions that a sentence is worth
PERNET = "ops_init"  # net/core/net_namespace.c: calls each subsystem's part of a new net namespace
ALLOCATOR = "__kmalloc"  # with a suffix on some kernels: what ops_init allocates for a subsystem is none


def books_of(run: Recorded, kinds: str) -> Books | None:
    """What was recorded of clone with that set."""
    own = run.exact.get(kinds) if run.exact else None
    return Books(f"clone/{kinds}", {"create": Book(tree.instructions(own), explain.named(own), 0)}) if own else None


def adds(run: Recorded, kinds: str) -> dict[str, float]:
    """The own instructions of each function more than for `none`."""
    own, none = books_of(run, kinds), books_of(run, "none")
    return books.adds(own, none) if own and none else {}


def largest(found: dict[str, float]) -> str:
    """The sum, and the functions with the largest parts of it."""
    if not found:
        return "–"
    top = sorted(found.items(), key=lambda item: -item[1])[:TOP]
    return f"{k(sum(found.values()))}: " + ", ".join(f"{name} {k(own)}" for name, own in top)


def subsystems(runs: Runs) -> list[str]:
    """A row for each part of a net namespace, those that are largest anywhere first."""
    columns = [{one.name: one.total for one in tree.called_by(run.exact.get("NEWNET", {}), PERNET)} for run in runs]
    parts = [{name for name in column if name != PERNET and not name.startswith(ALLOCATOR)} for column in columns]
    counts = sorted(len(part) for part in parts)
    count = f"{counts[0]}" if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
    names = sorted(set().union(*parts), key=lambda name: -max(column.get(name, 0) for column in columns))
    shown = names[:SUBSYSTEMS]
    rows = [(name, [k(column[name]) if name in column else "–" for column in columns]) for name in shown]
    rest = [k(sum(value for name, value in column.items() if name not in shown)) for column in columns]
    return [
        f"What a net namespace's subsystems take of that ({PERNET} calls each of them, {count} on a kernel), with all",
        "that they call, the largest first:",
        "",
        *table(runs, "NEWNET", [*rows, ("all others", rest)]),
    ]


def sentences(runs: Runs) -> list[str]:
    """One for each kind and step from a kernel to the next where the kind's cost changed by more than it varies."""
    lines = []
    for one, other in zip(runs, runs[1:]):
        for kind in (*KINDS, ALL):
            before, after = (run.added("clone", kind, "create") for run in (one, other))
            books = all_of(books_of(run, of) for run in (one, other) for of in (kind, "none"))
            if not before or not after or not before.differs(after) or not books:
                continue
            found = explain.explain((books[0], books[1]), (books[2], books[3]))
            if abs(found.after - found.before) < LEAST:
                continue
            about = f"{one.name} → {other.name}: {name_of(kind)} {explain.thousands(found.after - found.before)}"
            lines.append(f"- {explain.sentence(about, found.changes(), NAMED)}.")
    return lines


def balance(runs: Runs, found: dict[tuple[str, str], dict[str, float]]) -> list[str]:
    """Whether the functions' sums are what the plain runs add."""
    others, count = [], 0
    for run in runs:
        for kinds in (*KINDS, ALL):
            plain, whole = run.added("clone", kinds, "create"), sum(found[run.name, kinds].values())
            if plain and whole:
                count += 1
                if not agrees(whole, plain):
                    others.append(f"{name_of(kinds)} on {run.name} {k(whole)} for {k(plain.value)}")
    said = f"; the others: {', '.join(others)}" if others else ""
    return [f"- For {count - len(others)} of {count} sets and kernels the functions' sum is what the plain run adds to `create`, within "
            f"{100 * AGREES:.0f}% or what that", f"  varies by{said}."] if count else []


def exact(runs: Runs) -> list[str]:
    """The section; nothing where no run has a profile."""
    runs = [run for run in runs if run.exact]
    if not runs:
        return []
    found = {(run.name, kinds): adds(run, kinds) for run in runs for kinds in (*KINDS, ALL)}
    return [
        "What each kind adds to a plain clone, by kernel function: from the exact profile, which sees all of them (`scripts/lab.py",
        f"profile`). The sum, then the {TOP} functions with the most instructions of their own:",
        "",
        *table(runs, "clone", [(name_of(kinds), [largest(found[run.name, kinds]) for run in runs])
                               for kinds in (*KINDS, ALL)]),
        *balance(runs, found),
        "",
        *subsystems(runs),
        f"What explains the changes from kernel to kernel that are larger than the figures vary, and than {LEAST} instructions (functions",
        "that the compiler made a part of their caller on one side are counted with it on both):",
        "",
        *sentences(runs),
        "",
    ]
