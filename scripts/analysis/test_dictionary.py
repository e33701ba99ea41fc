"""What the scripts make of the dictionary."""
import pytest

from analysis import columns


@pytest.mark.parametrize("operation, segments", [
    ("clone", ["ready", "exit"]),  # create overlaps with ready
    ("unshare", ["create", "exit"]),
    ("setns", ["switch"]),
    ("proc_remount", ["mount", "unmount"]),
    ("userns_map", ["setgroups", "uid_map", "gid_map"]),
    ("container", ["start", "exit"]),  # all that is done inside lies in start
    ("runtime", ["start", "exit"]),  # load and cpu are beside it
    ("mount_ns", ["create", "enter", "exit"]),
    ("cgroup", ["create", "migrate", "exit"]),
    ("veth", ["create", "link", "move", "address", "up", "exit"]),
    ("mountinfo", ["read"]),
    ("no-such", []),
])
def test_what_a_total_consists_of(operation: str, segments: list[str]) -> None:
    assert columns.segments(operation) == segments


def test_every_phase_lies_in_the_total_or_is_apart() -> None:
    assert [phase for phase in columns.phases() if columns.is_apart(phase)] == ["load", "cpu", "drain"]


def test_operations_that_make_sets_in_one_call() -> None:
    assert columns.making_sets() == ["clone", "unshare", "clone3"]
    assert columns.has_parameter("clone", "stack") and not columns.has_parameter("unshare", "stack")
