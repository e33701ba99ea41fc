"""What is made up for Hypothesis: a run's files, changed anywhere, and matrices of times."""
import numpy as np
from hypothesis import strategies as st

from analysis.effects import Pair

TOKENS = (b"", b",", b'"', b"\n", b"\r\n", b"\0", b"\xff", b"nan", b"inf", b"-1", b"1e400", b"9" * 20, b"9" * 5000, b"0", b"1", b"[", b"{",
          b"null", b"true", b"[]", b'"x"', b"\xc2\xb2", b"clone/NEWPID/stack:1M", b"..", b";", b" ")


@st.composite
def changed(draw: st.DrawFn, data: bytes) -> bytes:
    """The data with some changes: a piece left out, put twice, elsewhere, or a word in its place."""
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(data)))
        end = min(len(data), begin + draw(st.one_of(st.integers(0, 12), st.integers(0, 400))))
        piece = draw(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=6), st.just(data[begin:end] * 2)))
        data = data[:begin] + piece + data[end:]
    return data


@st.composite
def fields_changed(draw: st.DrawFn, data: bytes) -> bytes:
    """The same of fields of lines: what is left still is CSV."""
    lines = data.decode().split("\n")
    for _ in range(draw(st.integers(1, 4))):
        row = draw(st.integers(0, max(0, len(lines) - 2)))
        fields = lines[row].split(",")
        at = draw(st.integers(0, len(fields) - 1))
        fields[at] = draw(st.one_of(st.sampled_from(TOKENS).map(lambda word: word.decode(errors="replace")), st.just(fields[at] * 2),
                                    st.floats(width=32).map(str), st.integers().map(str)))
        lines[row] = ",".join(fields)
    return "\n".join(lines).encode()


@st.composite
def sides(draw: st.DrawFn) -> tuple[Pair, list[str], Pair]:
    """Logarithms of both sides, with rows that some runs do not have; the rows' phases; and when the runs were."""
    rows = draw(st.integers(1, 12))
    phases = [draw(st.sampled_from(("create", "total", "exit"))) for _ in range(rows)]
    value = st.one_of(st.just(float("nan")), st.just(7.0), st.floats(-3, 44), st.floats(6.9, 7.1))

    def side() -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
        runs = draw(st.integers(1, 7))
        logs = np.array([[draw(value) for _ in range(runs)] for _ in range(rows)])
        times = np.array([draw(st.one_of(st.just(float("nan")), st.floats(0, 2e9))) for _ in range(runs)])
        return logs, times
    (base, base_times), (new, new_times) = side(), side()
    return (base, new), phases, (base_times, new_times)
