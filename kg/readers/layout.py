"""Which column of a table holds what: told by the header, or by what stands in the columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from kg.readers.nodes import is_id, space_of
from kg.readers.roles import ENDS, places_of
from kg.relations import is_known, type_of

_TYPES = ("subject_type", "object_type")
_MOST = 0.8
_HALF = 0.5
_THREE = 3
_HEADER_ENDS = ("名", "名称", "实体", "关系", "类型", "项", "项目", "对象", "1", "2", "一", "二")


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Column numbers from 0. `header` where the first row names the columns.

    `said` are the types that the header itself gives the ends, where it says 疾病 and 症状, `spaces` the spaces
    of their ids, None where they are names. `marked` where every end carries its type: 肺炎|疾病.
    """

    columns: int = _THREE
    subject: int = 0
    relation: int = 1
    object: int = 2
    subject_type: int | None = None
    object_type: int | None = None
    header: bool = False
    said: tuple[str | None, str | None] = (None, None)
    spaces: tuple[str | None, str | None] = (None, None)
    marked: bool = False

    @property
    def plain(self) -> bool:
        """Whether a row holds three names and no more that matters."""
        return not self.marked and {self.subject_type, self.object_type, *self.spaces} == {None}


def layout_of(rows: Sequence[list[str]]) -> Layout:
    """The layout that the first rows of a table show."""
    widths = [len(row) for row in rows if len(row) >= _THREE]
    if not widths:
        return Layout()
    width = max(widths, key=lambda one: (widths.count(one), -one))
    even = [row for row in rows if len(row) == width]
    layout = _named(even[0]) or _read_off(even)
    ends = [row[place] for row in even[layout.header :] for place in (layout.subject, layout.object)]
    return msgspec.structs.replace(layout, marked=bool(ends) and all(map(parted, ends)))


def parted(cell: str) -> tuple[str, str] | None:
    """The name and the type in `name|type`, None where a cell is nothing like it."""
    name, _, kind = cell.rpartition("|")
    return (name, kind.strip()) if name and type_of(kind) else None


def _read_off(rows: Sequence[list[str]]) -> Layout:
    """The layout that the contents show, with a header in words that nobody foresaw or with none."""
    below = rows[1:]
    shown = _shown(below or rows)
    if not below or not _is_heading(rows[0], below, shown):
        return _shown(rows)
    return msgspec.structs.replace(shown, header=True, said=_said(rows[0], shown.subject, shown.object))


def _named(cells: Sequence[str]) -> Layout | None:
    """The layout that a header names; a column that no word fits is the one that is missing yet."""
    found = places_of(cells, (*ENDS, *_TYPES))
    ends = [role for role in ENDS if role in found]
    missing = [role for role in ENDS if role not in found]
    free = [place for place in range(len(cells)) if place not in found.values()]
    complete = not missing or (bool(ends) and len(free) == len(missing) and ("relation" in ends or len(missing) == 1))
    if not complete or is_known(cells[found.get("relation", 1)]):
        return None
    found.update(zip(missing, free, strict=False))
    subject, target = cells[found["subject"]], cells[found["object"]]
    return Layout(
        columns=len(cells),
        header=True,
        said=_said(cells, found["subject"], found["object"]),
        spaces=(space_of(subject) if is_id(subject) else None, space_of(target) if is_id(target) else None),
        subject=found["subject"],
        relation=found["relation"],
        object=found["object"],
        subject_type=found.get("subject_type"),
        object_type=found.get("object_type"),
    )


def _said(cells: Sequence[str], subject: int, target: int) -> tuple[str | None, str | None]:
    heads = (cells[subject].strip(), cells[target].strip())
    return (heads[0] if type_of(heads[0]) else None, heads[1] if type_of(heads[1]) else None)


def _is_heading(first: Sequence[str], below: Sequence[Sequence[str]], shown: Layout) -> bool:
    """Whether the first row names columns in words that nobody foresaw: they occur nowhere below, where names are
    Chinese or relations known, and the row's own are not."""
    seen = {cell.strip() for row in below for cell in row}
    if any(cell.strip() in seen for cell in first if cell.strip()) or is_known(first[shown.relation]):
        return False
    if first[shown.relation].isascii() and not any(map(_is_chinese, first)):
        return _share(_is_chinese, (row[shown.subject] for row in below)) >= _MOST
    labelled = any(type_of(cell) or cell.strip().endswith(_HEADER_ENDS) for cell in first)
    return labelled and _share(is_known, (row[shown.relation] for row in below)) >= _MOST


def _shown(rows: Sequence[Sequence[str]]) -> Layout:
    """The layout that the contents show: where the known relations stand, which columns hold numbers or types."""
    columns = list(zip(*rows, strict=True))
    filled = [place for place, cells in enumerate(columns) if any(map(str.strip, cells))]
    used = [place for place in filled if len(filled) <= _THREE or _share(_is_number, columns[place]) < 1]
    middle = (len(columns) - 1) / 2
    known = {place: _share(is_known, columns[place]) for place in used}
    relation = max(used, key=lambda place: (known[place] > _HALF, -abs(place - middle)), default=1)
    if len(used) < _THREE or (len(used) > _THREE and known[relation] <= _HALF):
        return Layout()
    others = [place for place in used if place != relation]
    kinds = [place for place in others if _share(type_of, columns[place]) >= _MOST] if len(used) > _THREE else []
    ends = [place for place in others if place not in kinds]
    if len(ends) < len(("subject", "object")):
        return Layout()
    before, after = [place for place in ends if place < relation], [place for place in ends if place > relation]
    subject, target = (before[-1], after[0]) if before and after else (ends[0], ends[1])
    subject_type, object_type = kinds if len(kinds) == len(_TYPES) else (None, None)
    return Layout(
        columns=len(columns),
        subject=subject,
        relation=relation,
        object=target,
        subject_type=subject_type,
        object_type=object_type,
    )


def _share(test: Callable[[str], object], cells: Iterable[str]) -> float:
    """The share of the cells that are filled and pass."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    return sum(bool(test(cell)) for cell in filled) / len(filled) if filled else 0.0


def _is_chinese(cell: str) -> bool:
    return any("\u3400" <= character <= "\u9fff" for character in cell)


def _is_number(cell: str) -> bool:
    return cell.replace(".", "", 1).isdigit()
