"""The one exception of the lab, and its exit codes."""

OK = 0
FAILED = 1  # a guest failed, or nsbench in it did
USAGE = 2
IMPOSSIBLE = 3  # not possible on this machine, with what to do
UNMEASURED = 125  # compare: `git bisect run` skips the commit
ABORTED = 129  # compare's usage: above 127, so that `git bisect run` ends instead of calling the commit bad
INTERRUPTED = 130


class LabError(Exception):
    """What the user is told in one line, with the exit code of the program; `tail` is the end of a guest's console."""

    def __init__(self, message: str, code: int = FAILED, tail: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.tail = tail
