"""The text, the fields and the shape of a run's files, without pandas: what all readers of them begin with, those of the
lab as well. Unreadable, with the file and where it can be the line, for what nsbench does not write."""
import csv
import json
import lzma
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from analysis.script import Unreadable, printable

CASE = re.compile(r"\w+/[\w-]+(/[\w:.-]+)*", re.ASCII)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
LARGEST = 2.0**64  # of any figure: nsbench's are 64 bits wide, and sums of larger ones would be infinite


def text_of(path: Path) -> str:
    """The text of a file, with ends of lines as they are here: one that was through Windows has its own. OSError becomes
    Unreadable, except that a file that is not there stays FileNotFoundError."""
    try:
        if path.suffix == ".xz":
            with lzma.open(path, "rb") as file:
                data = file.read()
        else:
            data = path.read_bytes()
    except FileNotFoundError:
        raise
    except EOFError:
        raise Unreadable(f"{path}: cut off: the end of the compressed file is missing") from None
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    except lzma.LZMAError as error:
        raise Unreadable(f"{path}: {error}") from None
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path}, line {data.count(bytes([10]), 0, error.start) + 1}: not a text file") from None
    if "\0" in text:
        raise Unreadable(f"{path}, line {text.count(chr(10), 0, text.index(chr(0))) + 1}: not a text file")
    return text.replace("\r\n", "\n")


def shown(value: object) -> str:
    """A value as it may stand in a message of one line."""
    text = ascii(value)
    return text if len(text) <= 40 else text[:37] + "..."


def number(text: str) -> float:
    """Of a field. ValueError for what nsbench writes as none: nan and infinity are no figures."""
    if not NUMBER.fullmatch(text) or not abs(value := float(text)) <= LARGEST:
        raise ValueError(text)
    return value


@dataclass(frozen=True)
class Table:
    """A CSV file: the text, the header, and where there are quotes the fields of each row."""

    path: Path
    text: str
    header: list[str]
    quoted: list[list[str]] | None

    def where(self, row: int) -> str:
        """The file and the line of a row, the first of which is 0."""
        return f"{self.path}, line {row + 2}"

    def rows(self) -> Iterable[list[str]]:
        """The fields of each row below the header."""
        if self.quoted is not None:
            return self.quoted
        return (line.split(",") for line in self.text[:-1].split("\n")[1:])

    def need(self, names: Iterable[str], file: str) -> None:
        """Unreadable where one of these columns is missing."""
        wanted = list(names)
        if missing := [name for name in wanted if name not in self.header]:
            known = "" if set(wanted) & set(self.header) else f": is it a {file} of nsbench?"
            raise Unreadable(f"{self.path}: column {missing[0]} is missing"
                             f"{f' (and {len(missing) - 1} others)' if len(missing) > 1 else ''}{known}")


def _first(path: Path, text: str, rows: int) -> str:
    """The header and so many rows. What is behind them is no part of the file: it may be half of a line. Unreadable where it has
    fewer."""
    end = 0
    for row in range(rows + 1):
        end = text.find("\n", end) + 1
        if not end:
            raise Unreadable(f"{path}: cut off within line {row + 1}: run.json says that it has {rows + 1}")
    return text[:end]


def table(path: Path, rows: int | None = None) -> Table:
    """A CSV file, every row of which is as long as the header, and no column of which is there twice; or the first `rows` of it.
    What cannot be printed is escaped, since its texts are shown in terminals: nsbench writes no such character. FileNotFoundError
    where there is none."""
    text = text_of(path)
    if not text:
        raise Unreadable(f"{path}: empty")
    if rows is not None:
        text = _first(path, text, rows)
    if not text.endswith("\n"):
        raise Unreadable(f"{path}: ends within a line: it was cut, or is still being written")
    if "\r" in text:  # an end of a line to some readers
        raise Unreadable(f"{path}, line {text.count(chr(10), 0, text.index(chr(13))) + 1}: not a text file")
    if not text.replace("\n", " ").isprintable():
        text = "\n".join(map(printable, text.split("\n")))
    lines = text[:-1].split("\n")  # and at nothing else that str.splitlines() takes for an end
    quoted = None
    if '"' in text:
        quoted = _quoted(path, lines)
        header = quoted.pop(0)
        counts = [len(fields) for fields in quoted]
    else:
        header = lines[0].split(",")
        counts = [line.count(",") + 1 for line in lines[1:]]
    # Other readers fill a short row up and take a long first one for an index: counted here, so that neither passes.
    for line, count in enumerate(counts, 2):
        if count != len(header):
            raise Unreadable(f"{path}, line {line}: {count} fields, the header has {len(header)}")
    if twice := next((name for name in header if header.count(name) > 1), None):
        raise Unreadable(f"{path}: column {shown(twice)} stands there twice")
    return Table(path, text, header, quoted)


def _quoted(path: Path, lines: list[str]) -> list[list[str]]:
    """The fields of each row, which is a line."""
    found: list[list[str]] = []
    reader = csv.reader((line + "\n" for line in lines), strict=True)
    try:
        for fields in reader:
            found.append(fields)
            if reader.line_num > len(found):
                raise Unreadable(f"{path}, line {len(found)}: a field goes on in the next line, which nsbench does not write")
    except csv.Error as error:  # an open quote makes a row of all that follows: where it was opened is what helps
        raise Unreadable(f"{path}, line {len(found) + 1}: no CSV: {error}") from None
    return found


@dataclass(frozen=True)
class Perhaps:
    """The kind of a column that older files lack."""

    kind: "type | re.Pattern[str]"


Kinds = Mapping[str, "type | re.Pattern[str] | Perhaps"]  # of columns


def records(path: Path, wanted: Kinds,
            wrong: Callable[[dict[str, str]], str | None] = lambda _: None) -> Iterator[dict[str, str]]:
    """The rows as dictionaries. All columns in `wanted` must be there but those of a Perhaps kind, which older files lack;
    those of the kind float hold numbers or nothing, those of the kind CASE ids; `wrong` says what else is wrong with a row.
    FileNotFoundError where there is no file."""
    found = table(path)
    found.need([name for name, kind in wanted.items() if not isinstance(kind, Perhaps)], path.name)
    there = {name: kind.kind if isinstance(kind, Perhaps) else kind for name, kind in wanted.items() if name in found.header}
    numbers = [(name, found.header.index(name)) for name, kind in there.items() if kind is float]
    case = found.header.index("case") if there.get("case") is CASE else None
    for row, fields in enumerate(found.rows()):
        for name, place in numbers:
            if fields[place]:
                try:
                    number(fields[place])
                except ValueError:
                    raise Unreadable(f"{found.where(row)}: {name} is {shown(fields[place])}, not a number") from None
        if case is not None and not CASE.fullmatch(fields[case]):
            raise Unreadable(f"{found.where(row)}: case is {shown(fields[case])}, which is no case's id")
        record = dict(zip(found.header, fields))
        if said := wrong(record):
            raise Unreadable(f"{found.where(row)}: {said}")
        yield record


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON's")


def all_printable(content: object) -> object:
    """What a JSON file holds, with what cannot be printed of its texts escaped, as in tables."""
    if isinstance(content, str):
        return printable(content)
    if isinstance(content, list):
        return [all_printable(one) for one in content]
    if isinstance(content, dict):
        return {printable(name): all_printable(value) for name, value in content.items()}
    return content


def json_of(path: Path, is_shown: bool = False) -> object:
    """The content of a JSON file, whose texts can all be written again, or, with `is_shown`, printed. FileNotFoundError where there
    is none."""
    text = text_of(path)
    try:
        content = json.loads(text, parse_constant=_no_constant)
        printed = all_printable(content) if is_shown else content
    except ValueError as error:
        raise Unreadable(f"{path}: no JSON: {error}") from None
    except RecursionError:
        raise Unreadable(f"{path}: nested too deeply: is it nsbench's?") from None
    if re.search(r"\\u[dD][89a-fA-F]", text):  # half of a character beyond the first 65536, perhaps alone
        try:
            json.dumps(content, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise Unreadable(f"{path}: a text in it is no Unicode: half of a surrogate pair") from None
    return printed
