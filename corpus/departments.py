"""One vocabulary of departments for the many names that circulate."""

from __future__ import annotations

import re
from functools import cache

from corpus.classification.vocabulary import vocabulary
from corpus.records import DEPARTMENTS

_EMPTY = frozenset({"", "nan", "none", "null", "未知", "不详", "无"})


@cache
def department_of(name: str | None) -> str | None:
    """The department of `DEPARTMENTS` that `name` stands for; None where it says nothing or is unknown.

    >>> department_of("传染科"), department_of("骨科"), department_of("nan")
    ('传染病科', '外科', None)
    """
    cleaned = "" if name is None else re.sub(r"\s+", "", name)
    if cleaned.lower() in _EMPTY:
        return None
    if cleaned in DEPARTMENTS:
        return cleaned
    return next((one.name for one in vocabulary().department if re.search(one.names, cleaned)), None)
