"""The words that nsbench's tables know, as a dictionary of libFuzzer: what is made up is put together of them, too."""
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TABLES = Path(__file__).resolve().parents[1] / "analysis" / "dictionary.json"
SIGNS = ("..", ":", "/", "-", ",", "--", "=", "\\x0a", "null", "true", "false", "18446744073709551615", "9007199254740993", "1e308", "-1")


def _names(value: Any) -> Iterator[str]:
    """Of all tables, what is written in ids, options and files."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("name", "flag", "key", "default", "least", "most", "option", "file") and isinstance(inner, str):
                yield inner
            else:
                yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from [inner] if isinstance(inner, str) else _names(inner)


def dictionary() -> str:
    """A line for each word."""
    words = {word for word in _names(json.loads(TABLES.read_text())) if re.fullmatch(r"[\w.-]{1,40}", word, re.ASCII)}
    return "".join(f'"{word}"\n' for word in (*SIGNS, *sorted(words)))
