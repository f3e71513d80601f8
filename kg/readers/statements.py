"""One statement checked: the same rules whatever file it stood in."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from foundation.errors import ZhongjingError
from foundation.rejects import Reject
from kg.readers.nodes import Node, Nodes
from kg.records import Triple

MAX_NAME = 1_000
STAGE = "kg build"
NAME_KEYS = ("名称", "name", "名字", "中文名称", "中文名", "疾病名称", "药品名称", "药物名称", "@value", "value")

_BAD = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffd]")


@contextmanager
def damage(faults: list[Reject], origin: Origin) -> Iterator[None]:
    """Turn what stops the reading of a file half-way into a reject."""
    try:
        yield
    except (EOFError, OSError, zlib.error) as error:
        faults.append(origin.reject("damaged", f"the file cannot be read to its end: {type(error).__name__}"))
    except ZhongjingError as error:
        faults.append(origin.reject("damaged", error.message))


class Origin:
    """A file under the name it is recorded by: makes its triples and its rejects, and knows the nodes read so far."""

    def __init__(self, file: str, nodes: Nodes | None = None) -> None:
        self.file = file
        self.nodes = Nodes() if nodes is None else nodes
        self._sound: set[str] = set()

    def node(self, end: Any, space: str = "") -> Node | None:
        """What stands behind an end that may be an id: its node, or the end itself where it is a name; None where the
        node is missing."""
        found = self.nodes.get(end, space)
        return found or (Node(end, None) if isinstance(end, str) and not end.strip().isdigit() else None)

    def reject(self, reason: str, detail: str, line: int = 1) -> Reject:
        """A reject that points into the file."""
        return Reject(stage=STAGE, reason=reason, file=self.file, line=line, detail=detail)

    def triple(
        self, subject: Any, relation: Any, target: Any, line: int, types: tuple[str | None, str | None] = (None, None)
    ) -> Triple | Reject:
        """A triple where all three are sound names, a reject with the reason otherwise."""
        parts = (subject, relation, target)
        if not (isinstance(subject, str) and isinstance(relation, str) and isinstance(target, str)):
            return self.reject("not_text", "a name is not text", line)
        if not self._sound.issuperset(parts):
            subject, relation, target = parts = (tidy(subject), tidy(relation), tidy(target))
            fault = name_fault(subject) or name_fault(relation) or name_fault(target)
            if fault:
                return self.reject(*fault, line)
            self._sound.update(parts)
        if subject == target:
            return self.reject("self_loop", "subject and object are the same", line)
        return Triple(
            subject=subject,
            relation=relation,
            object=target,
            file=self.file,
            line=line,
            subject_type=types[0],
            object_type=types[1],
        )


def tidy(name: str) -> str:
    """A name without blanks around it; a line feed or tab inside is a blank."""
    name = name.strip()
    return " ".join(name.split()) if "\n" in name or "\t" in name else name


def name_fault(name: str) -> tuple[str, str] | None:
    """Why a string is no name: reason and detail; None where it is one."""
    if not name:
        return "empty_name", "subject, relation or object is empty"
    if len(name) > MAX_NAME:
        return "long_name", f"a name of {len(name):,} characters"
    if _BAD.search(name):
        return "bad_character", "a control, surrogate or replacement character in a name"
    return None


def name_in(record: dict[str, Any]) -> str | None:
    """What a JSON object calls itself, or is called among its properties."""
    name = next((record[key] for key in NAME_KEYS if isinstance(record.get(key), str)), None)
    properties = record.get("properties")
    return name_in(properties) if name is None and isinstance(properties, dict) else name


def objects_of(value: Any) -> Iterator[Any]:
    """The objects in a JSON value: a string, an object with a name, or a list of these."""
    if isinstance(value, list):
        for item in value:
            yield from objects_of(item)
    elif isinstance(value, dict):
        yield name_in(value)
    else:
        yield value
