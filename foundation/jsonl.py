"""JSON read strictly and written the same way every time."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec

from foundation.errors import ZhongjingError
from foundation.files import existing_file, new_file

Record = TypeVar("Record", bound=msgspec.Struct)

MAX_NUMBER_DIGITS = 1_000


class BadJsonError(ValueError):
    """Text that is not JSON as we accept it; the message names the fault without quoting the text."""


def parse_json(text: str | bytes) -> Any:
    """Parse JSON; refuse NaN, infinities, duplicate keys, NUL, lone surrogates, absurd depth or numbers."""
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadJsonError("not valid UTF-8") from error
    except json.JSONDecodeError as error:
        raise BadJsonError(f"invalid JSON: {error.msg.removesuffix(' at')} at column {error.colno}") from error
    except RecursionError as error:
        raise BadJsonError("nested too deeply") from error


def dump_json(value: Any) -> bytes:
    """One line of JSON in UTF-8: fields in their own order, no spaces, no line feed."""
    return msgspec.json.encode(value)


def write_records(path: Path, records: Iterable[Any]) -> int:
    """Write records (structs or plain values) as JSON lines, atomically; returns how many."""
    count = 0
    with new_file(path) as temporary, temporary.open("wb") as stream:
        for record in records:
            stream.write(dump_json(record) + b"\n")
            count += 1
    return count


def read_records(path: Path, kind: type[Record]) -> Iterator[Record]:
    """Read our own JSON lines back, typed. A line of another shape is an error with file and line."""
    decoder = msgspec.json.Decoder(kind)
    with existing_file(path).open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                yield decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise ZhongjingError(
                    f"this line is not a {kind.__name__}: {error}", where=f"{path}:{number}"
                ) from error


def _refuse_constant(name: str) -> NoReturn:
    raise BadJsonError(f"the number {name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadJsonError("a key occurs twice in one object")
    for key, value in pairs:
        _refuse_bad_text(key)
        _refuse_bad_values(value)
    return found


def _refuse_bad_values(value: Any) -> None:
    if isinstance(value, str):
        _refuse_bad_text(value)
    elif isinstance(value, list):
        for item in value:
            _refuse_bad_values(item)


def _refuse_bad_text(text: str) -> None:
    if "\x00" in text:
        raise BadJsonError("a NUL character")
    if not text.isascii() and _SURROGATE.search(text):
        raise BadJsonError("a lone surrogate")


def _integer(digits: str) -> int:
    if len(digits) > MAX_NUMBER_DIGITS:
        raise BadJsonError(f"a number of {len(digits):,} digits")
    return int(digits)


def _real(digits: str) -> float:
    number = float(digits) if len(digits) <= MAX_NUMBER_DIGITS else math.inf
    if not math.isfinite(number):
        raise BadJsonError(f"a number out of all bounds ({len(digits):,} characters)")
    return number


_SURROGATE = re.compile("[\ud800-\udfff]")
_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_int=_integer, parse_float=_real
)
