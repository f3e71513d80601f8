"""Two texts side by side: which stretches they share and which are each one's own."""

from __future__ import annotations

from rapidfuzz.distance import Indel

Piece = tuple[str, bool]


def differences(one: str, other: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces, each with whether it differs from the other; joined, the pieces are the text again.

    >>> differences("每次两片", "每次三片")
    ([('每次', False), ('两', True), ('片', False)], [('每次', False), ('三', True), ('片', False)])
    """
    left: list[Piece] = []
    right: list[Piece] = []
    for change in Indel.opcodes(one, other):
        _add(left, one[change.src_start : change.src_end], change.tag != "equal")
        _add(right, other[change.dest_start : change.dest_end], change.tag != "equal")
    return left, right


def _add(pieces: list[Piece], text: str, differs: bool) -> None:
    if not text:
        return
    if pieces and pieces[-1][1] == differs:
        pieces[-1] = (pieces[-1][0] + text, differs)
    else:
        pieces.append((text, differs))
