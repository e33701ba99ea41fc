"""What is wrong with a run that had a fault."""
import csv
import errno
import os
import re
import signal
from pathlib import Path

from analysis.exact import MEASURED
from analysis.script import Unreadable
from faults.calls import number_of
from faults.inject import Ended
from faults.jobs import IN_USERNS, OUT, Facts, Job, Told

REMOVED, REMOVING = " was left", ("unlink", "unlinkat")
CRASHES = ("terminate called", "Assertion", "what():", "Sanitizer", "core dumped", "Traceback", "stack smashing", "corrupted")
_LIMIT = ("limit", "not enough memory")
# Of errnos that nsbench puts in other words.
MEANINGS = {"EMFILE": _LIMIT, "ENFILE": _LIMIT, "EAGAIN": _LIMIT, "ENOMEM": _LIMIT, "ENOSPC": _LIMIT, "EFBIG": _LIMIT,
            "EDQUOT": _LIMIT, "EPERM": ("not permitted",), "EACCES": ("not permitted",),
            "ENOENT": ("no such folder", "has no readable run.json", "no samples.csv")}
# Where no errno is known: of a child that has ended, of what is missing, and Google Benchmark's of a file that it reads.
WITHOUT_ERRNO = ("killed or crashed", "cannot be", "Failed to read")
# Words that blame something, and the errnos that it answers with: another one is of something else.
BLAMED = {"another nsbench": ("EAGAIN",), "hides processes": ("ENOENT", "ESRCH")}
# Which need not be made again, since signals interrupt them only where they wait, and these do not: openat(2) waits for a pipe's
# other end; the children of the sampler and of a deputy write to an eventfd with EFD_NONBLOCK, in the time that is measured
# (src/sys/stamp.h).
UNINTERRUPTED = (("", "openat"), ("nsbench-sampler+", "write"), ("nsbench-deputy+", "write"))
FAILED, USAGE, NOT_PERMITTED = 1, 2, 3  # src/README.md, "Exit codes"
UNREAD = {"EPIPE": 128 + signal.SIGPIPE, "EIO": 128 + signal.SIGHUP}  # the reader has gone, the terminal was closed
# The dynamic loader's own end, before nsbench begins: where there is no memory.
BEFORE, LOADERS_WORDS = 127, "error while loading shared libraries"


def is_of_loader(ended: Ended) -> bool:
    """Whether nsbench has not begun, and the loader says why."""
    return ended.code == BEFORE and LOADERS_WORDS in ended.err


def is_documented(job: Job, ended: Ended, error: str, call: str) -> bool:
    """Whether the exit code is one that nsbench says it has."""
    if ended.code in (*job.own_codes, FAILED, NOT_PERMITTED) or ended.code == UNREAD.get(error):
        return True
    if call == "execve" and ended.code in job.refusals:
        return True
    if ended.code == USAGE:  # also of a folder that was named and cannot be used
        return any(OUT in word for word in job.words)
    return is_of_loader(ended)


def names_it(text: str, error: str) -> bool:
    """Whether a message says what failed: an errno, by its name; this one by its words, too, or a limit that is behind it. Which
    errno may be another one: a child's end tells its parent less than it knew."""
    return (any(word in text for word in (os.strerror(number_of(error)), *MEANINGS.get(error, ()), *WITHOUT_ERRNO))
            or any(name in errno.errorcode.values() for name in re.findall(r"\bE[A-Z0-9]+\b", text)))


def reasons_of(folder: Path) -> str:
    """What a run's rows say of why it did not go well: those that failed, a line each; where no row has figures, those that were
    skipped, too."""
    rows: list[dict[str, str]] = []
    for path in folder.glob("**/results.csv"):
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            rows += csv.DictReader(file)
    wanted = ("failed",) if any(row["status"] in MEASURED for row in rows) else ("failed", "skipped")
    return "\n".join(f"{row['errno']} {row['reason']}" for row in rows if row["status"] in wanted)


def ending(job: Job, ended: Ended, error: str, call: str, role: str, reasons: str) -> str | None:
    """What is wrong with how it ended; `reasons` are those of the rows because of which it did not go well."""
    if ended.is_hung:
        return f"it had not ended after {job.seconds:.0f} s"
    if ended.code < 0:
        return f"ended by {signal.Signals(-ended.code).name}"
    if crash := next((word for word in CRASHES if word in ended.out + ended.err), None):
        return f"a crash: {crash}"
    if not is_documented(job, ended, error, call):
        return f"exit code {ended.code}"
    said = ended.err + ended.out + reasons
    if wrong := next((words for words, errors in BLAMED.items() if words in said and error not in errors), None):
        return f"{error} is taken for what \"{wrong}\" does: {ended.err.strip()[-200:]!r}"
    is_again = error == "EINTR" and not {("", call), (role, call)}.intersection(UNINTERRUPTED)
    if is_again and ended.code not in job.own_codes:
        return f"exit code {ended.code} of a call that was interrupted, and has to be made again: {ended.err.strip()[-200:]!r}"
    if ended.code in job.own_codes or ended.code == UNREAD.get(error) or is_of_loader(ended):
        return None
    if names_it(said, error):
        return None
    if not ended.err and not reasons and ended.code != FAILED:
        return f"exit code {ended.code} without a message"
    return f"exit code {ended.code}, and what failed is not said: {ended.err.strip()[-200:]!r}"


def differing(job: Job, code: int, facts: Facts, whole: Facts) -> str | None:
    """What a run that says that all went well has not, or has otherwise. One that took the first refusal for a lack of rights
    went on as without root, with other cases."""
    if code not in job.own_codes:
        return None
    if IN_USERNS in facts:
        return None if any(map(str.isdecimal, facts.values())) else f"exit code {code}, and nothing was measured"
    if missing := sorted(whole.keys() - facts.keys()):
        return f"exit code {code}, and {missing[0]} is missing" + (f" with {len(missing) - 1} others" if len(missing) > 1 else "")
    for name, value in whole.items():
        if facts[name] != value and "skipped" not in (value, facts[name]):
            return f"exit code {code}, and {name} is {facts[name][:80]!r}, not {value[:80]!r}"
    return None


def shortfalls(job: Job, ended: Ended, told: Told, whole: Facts, error: str, call: str, role: str = "") -> list[str]:
    """Everything that is wrong, but for what it left on the machine."""
    found: list[str | None] = []
    reasons = ""
    try:
        facts = job.facts(told)
        found.append(differing(job, told.code, facts, whole))
        reasons = reasons_of(told.folder)
    except Unreadable as unreadable:
        # A text that broke off. The doctor's 1 is of what it found, too.
        may_be = not told.folder.is_dir() and (told.code not in job.own_codes or told.code == FAILED and names_it(told.err, error))
        is_kept = REMOVED in str(unreadable) and call in REMOVING  # what could not be removed
        # One that ended within its first saving, which writes run.json first: --resume takes that up.
        is_begun = told.code not in job.own_codes and "has no results.csv" in str(unreadable)
        found.append(None if may_be or is_kept or is_begun else str(unreadable))
    found.append(ending(job, ended, error, call, role, reasons))
    if ended.left:
        found.append(f"left {', '.join(ended.left)}")
    return [one for one in found if one]
