"""For tests: what can be wrong with a run's files, as changes of their bytes; and lab.py in this process."""
import contextlib
import importlib.util
import io
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

Change = Callable[[bytes], bytes]


def header(data: bytes, change: Callable[[list[str]], list[str]]) -> bytes:
    first, _, rest = data.partition(b"\n")
    return ",".join(change(first.decode().split(","))).encode() + b"\n" + rest


def put(name: str, value: str, row: int = 1) -> Change:
    """A row, the first one, with another value in that column."""
    def change(data: bytes) -> bytes:
        lines = data.decode().split("\n")
        fields = lines[row].split(",")
        fields[lines[0].split(",").index(name)] = value
        return "\n".join([*lines[:row], ",".join(fields), *lines[row + 1:]]).encode()
    return change


def rename(name: str) -> Change:
    return lambda data: header(data, lambda names: ["other" if one == name else one for one in names])


def of_json(*place: str | int, value: object) -> Change:
    """run.json with another value there; without one (`...`) it is missing."""
    def change(data: bytes) -> bytes:
        whole = content = json.loads(data)
        for name in place[:-1]:
            content = content[name]
        if value is ...:
            del content[place[-1]]
        else:
            content[place[-1]] = value
        return json.dumps(whole).encode()
    return change


def text(changed: str | bytes) -> Change:
    return lambda data: changed if isinstance(changed, bytes) else changed.encode()


ANY_FILE: dict[str, Change | None] = {
    "a newline": text("\n"), "empty": text(""), "0xff": lambda data: data[:60] + b"\xff" + data[60:],
    "only 0xff": text(b"\xff\n"), "NUL": lambda data: data[:60] + b"\0" + data[60:], "a folder": None,
    "half": lambda data: data[:len(data) // 2], "open quote in the header": lambda data: b'"' + data,
    "open quote at the end": lambda data: data + b'"x\n', "carriage return": lambda data: data.replace(b"n", b"\r", 1),
}


def broken(good: Path, folder: Path, file: str, change: Change | None) -> Path:
    """A copy in which that file is changed, or a folder where there is no change."""
    shutil.copytree(good, folder)
    path = folder / file
    data = path.read_bytes()
    path.unlink()
    if change is None:
        path.mkdir()
    else:
        path.write_bytes(change(data))
    return folder


def lab(*words: object) -> tuple[int, str, str]:
    """lab.py's exit code, standard output and standard error, in this process."""
    spec = importlib.util.spec_from_file_location("lab_program", Path(__file__).resolve().parents[1] / "lab.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    out, err = io.StringIO(), io.StringIO()
    try:
        spec.loader.exec_module(module)
        with contextlib.redirect_stderr(err), contextlib.redirect_stdout(out):
            code = module.main([str(word) for word in words])
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return code, out.getvalue(), err.getvalue()
