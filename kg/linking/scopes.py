"""The scopes of the cues: a small state that cues and mentions change, kept in an array of named slots.

After NegEx and ConText (Chapman 2001, Harkema 2009), with the cues and clause ends of Chinese consultations. Every
function here runs as it is and inside compiled code.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kg.linking.compiling import compilable

Codes = NDArray[np.uint32]
Numbers = NDArray[np.int64]


class Cues(NamedTuple):
    """What a cue does to the mentions after it, in its clause unless said otherwise.

    Plain numbers, not an enumeration: numpy loses a Ctrl-C that comes while it compares itself with a member of one.
    """

    LOOK_ALIKE: int = 0
    NEGATION: int = 1
    DENIAL: int = 2
    """A negation that goes on over a list with commas."""
    BARE_NEGATION: int = 3
    """不, 没, 未: only close by."""
    ABSENT: int = 4
    """Behind the mention: 阴性."""
    DOUBTED: int = 5
    """Behind the mention: 待排."""
    HISTORY: int = 6
    """Behind the mention: 病史."""
    UNCERTAIN: int = 7
    ASKED: int = 8
    """吗 or 么 at the end of a clause."""
    QUESTION: int = 9
    RELATIVE: int = 10
    """A relative, for the rest of the sentence; of the text, where nobody was named before."""
    FRIEND: int = 11
    """The same of somebody else."""
    KIN: int = 12
    """Relatives in general, for the rest of the sentence."""
    PEOPLE: int = 13
    """Others in general, for the rest of the sentence."""
    FAMILY_HISTORY: int = 14
    """On both sides."""
    SELF: int = 15
    CHILD: int = 16
    """The patient too, but for somebody's child: 邻居家孩子."""
    PRONOUN: int = 17
    """他, 她: the relative or friend named last."""
    WITH: int = 18
    """The patient as well as who comes next: 我和."""
    BEHALF: int = 19
    """Who comes next is asked for, and does not report: 帮我妈问."""
    PAST: int = 20
    NOW: int = 21
    ITEM: int = 22
    """Between the items of a list: 、."""
    EITHER: int = 23
    """Between two mentions, right behind the one and right before the other: 还是."""
    STOP: int = 24
    COMMA: int = 25
    SPACE: int = 26
    """A comma, but for one right behind a negation."""
    LINE: int = 27
    SENTENCE: int = 28
    POINT: int = 29
    """The end of a sentence, but for one in a number."""


Cue = Cues()

FILLS, BARE, CHAINS, OPEN, PRESUPPOSES, HOLDS_OFF, TREATS = (1 << bit for bit in range(7))
"""Traits of words. They may stand between a negation and what it denies; between 不 or 没 and it; between the items
of a list. They ask for more than yes or no; take what was named before for granted; keep a negation from what comes
next; take what comes next for granted."""
CLAUSE_END, LIST_END, REPORTS, ASKS, DIGIT, GOES_ON = 1, 2, 4, 8, 16, 32
"""Classes of characters: what may follow a clause; a listed item; a person who only reports; a question's end; what
goes on behind a comma with what was doubted before it."""


CLASS_BITS, TRAIT_BITS = 6, 8
"""Bits of a letter below its column: its classes; bits of a word below its traits: `WORD` and its cue."""
WORD = 1 << (TRAIT_BITS - 1)


OWNER, BASE, WORD_HERE = range(3)
"""Columns of a node."""


class CueTable(NamedTuple):
    """All words as a trie in a double array (Aoe 1989), small enough to stay in the cache.

    The node after node `n` on a letter in column `c` is ``nodes[n, BASE] + c``, where that is owned by `n`. Node 0 is
    both the root and a dead end.
    """

    letters: NDArray[np.uint16]
    """Code point to column and classes; column 0 for one that no word has."""
    nodes: NDArray[np.int16]
    """Owner, base, and the cue and traits of the word that ends there, 0 where none does; shape (n, 3)."""


NEGATED, UNCERTAIN, FAMILY, OTHER, PAST = 1, 2, 4, 8, 16
ALL_FLAGS = NEGATED | UNCERTAIN | FAMILY | OTHER | PAST
STARTS, ENDS, KIND, FLAGS = range(4)
"""Columns of a row for a mention."""
FINDING, TAKEN, NEUTRAL = range(3)
"""Kinds of mention: a disease or symptom; a drug, an examination; a department, a group, which nobody doubts."""
TEXT_END = CLAUSE_END | LIST_END
LINE_END = ord("\n")
CLASSES = (1 << CLASS_BITS) - 1
_PRESUMED, _LISTED = 32, 64
_NEAR, _FAR, _SHORT, _ITEM, _BACK, _WHOSE = 6, 12, 4, 6, 4, 2

(
    _NEGATION,  # the cue in force, 0 for none
    _REACH,  # where it stood, or the last mention it held of
    _CHAINED,  # whether it already held of one
    _CROSSED,  # whether a comma came since
    _DOUBT,  # where the doubt in force stood, -1 for none
    _DOUBTED,  # where a comma ended right behind a doubted mention, -1 for none
    _WHO,  # FAMILY, OTHER or 0 in this clause
    _TOPIC,  # whom the text is about
    _THIRD,  # whom 他 and 她 mean
    _NAMED,  # whether a person was named yet
    _PERSON_END,  # where a relative or friend was named last
    _WITH,  # where 我和 ended
    _BEHALF,  # where 帮, 替 ended
    _BEFORE,  # whether the past is spoken of
    _FIRST,  # number of the clause's first mention
    NEXT,  # number of the next mention
    _ASKING,  # whether the clause asks 什么, 怎么
    _PRESUMING,  # where the clause last took its finding for granted
    _TREATING,  # where a word ended that takes the next mention for granted
    _EITHER,  # where 还是 ended behind a mention
    _UNFILLED,  # characters since _REACH that are no filler
    _UNBARED,  # … that are none after 不, 没
    _UNCHAINED,  # … that are no part of a list
    _BLOCKED,  # whether a verb stands between
    _SINCE,  # characters since the last mention that are no part of a list
    SLOTS,
) = range(26)


@compilable
def pass_over(state: Numbers, traits: int, place: int, stop: int) -> None:
    """Note what lies between a negation and what may follow."""
    length = stop - place
    if not traits & CHAINS:
        state[_SINCE] += length
    if state[_REACH] < stop:
        state[_UNFILLED] += 0 if traits & FILLS else length
        state[_UNBARED] += 0 if traits & BARE else length
        state[_UNCHAINED] += 0 if traits & CHAINS else length
    if traits & OPEN:
        state[_ASKING] = 1
    if traits & PRESUPPOSES:
        state[_PRESUMING] = place
    if traits & TREATS:
        state[_TREATING] = stop
    if traits & HOLDS_OFF:
        state[_BLOCKED] = 1


@compilable
def _forget_gap(state: Numbers, place: int) -> None:
    state[_REACH] = place
    state[_UNFILLED] = state[_UNBARED] = state[_UNCHAINED] = state[_BLOCKED] = 0


@compilable
def mention(state: Numbers, mentions: Numbers, after: int) -> None:
    """A mention comes, with what classes of character behind it: what is in force holds of it."""
    number = state[NEXT]
    start, end = mentions[number, STARTS], mentions[number, ENDS]
    flags = state[_WHO]
    if state[_BEFORE]:
        flags |= PAST
    if state[_NEGATION] and _reaches(state, start, after):
        flags |= NEGATED
        state[_CHAINED] = 1
    else:
        state[_NEGATION] = 0
    if state[_TREATING] == start:
        flags |= _PRESUMED
    elif mentions[number, KIND] != NEUTRAL and _is_doubted(state, start, after):
        flags |= UNCERTAIN
        state[_DOUBT] = end
    if number > state[_FIRST] and (state[_SINCE] == 0 or state[_EITHER] == start):
        flags |= _LISTED
    mentions[number, FLAGS] = flags
    _forget_gap(state, end)
    state[_SINCE] = 0
    state[NEXT] += 1
    if state[_EITHER] == start and mentions[number, KIND] != NEUTRAL:
        _mark_back(state, mentions, UNCERTAIN)


@compilable
def _is_doubted(state: Numbers, start: int, after: int) -> Any:
    """Whether the doubt in force reaches a mention; behind a comma, one in a list: 有没有发烧，咳嗽，头痛."""
    if state[_DOUBTED] == start and after & LIST_END:
        return True
    return state[_DOUBT] >= 0 and start - state[_DOUBT] <= _FAR


@compilable
def _reaches(state: Numbers, start: int, after: int) -> Any:
    """Whether the negation in force reaches a mention."""
    gap = start - state[_REACH]
    if state[_CROSSED]:
        state[_CROSSED] = 0
        return state[_UNCHAINED] == 0 and after & LIST_END != 0
    if state[_CHAINED]:
        return gap <= _NEAR and state[_UNCHAINED] == 0
    if state[_NEGATION] == Cue.BARE_NEGATION:
        return gap <= _NEAR and state[_UNBARED] == 0
    return gap <= _FAR and (state[_UNFILLED] == 0 or (gap <= _SHORT and not state[_BLOCKED]))


@compilable
def cue(state: Numbers, mentions: Numbers, kind: int, start: int, stop: int, after: int) -> None:
    """A cue comes: it changes what is in force, or reaches back to the mentions of its clause."""
    last = state[NEXT] - 1
    gap = start - mentions[last, ENDS] if last >= state[_FIRST] else _FAR
    closes = after & CLAUSE_END != 0
    if kind <= Cue.BARE_NEGATION:
        if closes and kind != Cue.DENIAL and (gap <= 1 or (gap <= _NEAR and state[_SINCE] == 0)):
            _mark_back(state, mentions, UNCERTAIN if after & ASKS else NEGATED)
        else:
            state[_NEGATION], state[_CHAINED], state[_CROSSED] = kind, 0, 0
            _forget_gap(state, stop)
    elif kind <= Cue.UNCERTAIN:
        _qualify(state, mentions, kind, stop, gap, closes)
    elif kind <= Cue.QUESTION:
        if closes or kind == Cue.QUESTION:
            _ask(state, mentions, kind, start)
    elif kind <= Cue.BEHALF:
        _person(state, mentions, kind, start, stop, after & REPORTS != 0)
    else:
        _go_on(state, mentions, kind, start, stop, after, gap)


@compilable
def _qualify(state: Numbers, mentions: Numbers, kind: int, stop: int, gap: int, closes: bool) -> None:
    """What stands behind a mention qualifies it; a doubt that nothing precedes is in force from here on."""
    if kind == Cue.UNCERTAIN and not (closes and gap <= 1):
        state[_DOUBT], state[_NEGATION] = stop, 0
    elif gap <= _BACK:
        _mark_back(state, mentions, NEGATED if kind == Cue.ABSENT else PAST if kind == Cue.HISTORY else UNCERTAIN)


@compilable
def _mark_back(state: Numbers, mentions: Numbers, flag: int) -> None:
    """Mark the last mention of the clause and those listed with it."""
    number = state[NEXT] - 1
    while number >= state[_FIRST]:
        mentions[number, FLAGS] |= flag
        if not mentions[number, FLAGS] & _LISTED:
            break
        number -= 1


@compilable
def _item(state: Numbers, start: int, stop: int) -> None:
    """、 in a list that is denied: an item that the graph does not know does not end the list."""
    listing = 0 < state[_NEGATION] <= Cue.DENIAL and not state[_CROSSED] and not state[_BLOCKED]
    if listing and 0 < start - state[_REACH] <= _ITEM:
        state[_CHAINED] = 1
        _forget_gap(state, stop)


@compilable
def _ask(state: Numbers, mentions: Numbers, kind: int, place: int) -> None:
    """A yes-or-no question doubts what it asks about; 怎么办 and 能治好吗 take the finding for granted."""
    for number in range(state[_FIRST], state[NEXT] if not state[_ASKING] else 0):
        flags = mentions[number, FLAGS]
        presumed = flags & _PRESUMED or mentions[number, ENDS] <= state[_PRESUMING] < place
        taken = mentions[number, KIND] == TAKEN and (state[_PRESUMING] >= 0 or place - mentions[number, ENDS] <= 1)
        if taken or (mentions[number, KIND] == FINDING and not presumed):
            mentions[number, FLAGS] = (flags & ~NEGATED) | UNCERTAIN
    if kind == Cue.QUESTION:
        _new_sentence(state)


@compilable
def _person(state: Numbers, mentions: Numbers, kind: int, start: int, stop: int, reports: bool) -> None:
    """Whose the findings are, from here on; one who only reports is whom 他 means."""
    whose = state[_PERSON_END] >= 0 and start - state[_PERSON_END] <= _WHOSE
    if kind <= Cue.FRIEND:
        if state[_WITH] != start and not (whose and state[_THIRD] == OTHER):
            state[_THIRD] = FAMILY if kind == Cue.RELATIVE else OTHER
            if not reports or state[_BEHALF] == start:
                state[_WHO] = state[_THIRD]
                state[_TOPIC] = state[_TOPIC] if state[_NAMED] else state[_WHO]
                state[_NAMED] = 1
        state[_PERSON_END] = stop
    elif kind == Cue.WITH:
        state[_WITH] = stop
    elif kind == Cue.BEHALF:
        state[_BEHALF] = stop
    elif not reports and not (kind == Cue.CHILD and whose):
        _others(state, mentions, kind)


@compilable
def _others(state: Numbers, mentions: Numbers, kind: int) -> None:
    if kind in (Cue.SELF, Cue.CHILD):
        state[_WHO] = state[_TOPIC] = 0
        state[_NAMED] = 1
    elif kind == Cue.PRONOUN:
        state[_WHO] = state[_THIRD] if state[_THIRD] else state[_WHO]
    else:
        state[_WHO] = OTHER if kind == Cue.PEOPLE else FAMILY
        if kind == Cue.FAMILY_HISTORY:
            _mark_back(state, mentions, FAMILY)


@compilable
def _go_on(state: Numbers, mentions: Numbers, kind: int, start: int, stop: int, after: int, gap: int) -> None:
    """The time changes, or a list, clause, sentence or line ends."""
    if kind <= Cue.NOW:
        state[_BEFORE] = kind == Cue.PAST
        if kind == Cue.PAST and gap <= 1 and after & CLAUSE_END:
            _mark_back(state, mentions, PAST)
    elif kind == Cue.ITEM:
        _item(state, start, stop)
    elif kind == Cue.EITHER:
        state[_EITHER] = stop if gap == 0 else -1
    elif kind == Cue.STOP:
        state[_NEGATION], state[_DOUBT] = 0, -1
    elif kind == Cue.COMMA or (kind == Cue.SPACE and (start != state[_REACH] or state[_CHAINED])):
        _comma(state, start, stop, after & GOES_ON != 0)
    elif kind == Cue.LINE:
        new_line(state)
    elif kind == Cue.SENTENCE or (kind == Cue.POINT and not after & DIGIT):
        _new_sentence(state)


@compilable
def _comma(state: Numbers, start: int, stop: int, goes_on: bool) -> None:
    if state[_NEGATION] == Cue.DENIAL and state[_CHAINED]:
        state[_CROSSED] = 1
        _forget_gap(state, stop)
    else:
        state[_NEGATION] = 0
    if state[NEXT] > state[_FIRST]:
        state[_BEFORE] = 0
    doubt = state[_DOUBT]
    _new_clause(state)
    if doubt >= 0 and goes_on:
        state[_DOUBT] = stop
    elif doubt == start:
        state[_DOUBTED] = stop


@compilable
def _new_clause(state: Numbers) -> None:
    state[_FIRST] = state[NEXT]
    state[_DOUBT] = state[_DOUBTED] = state[_PRESUMING] = state[_TREATING] = state[_EITHER] = -1
    state[_ASKING] = 0


@compilable
def _new_sentence(state: Numbers) -> None:
    state[_NEGATION] = state[_BEFORE] = 0
    state[_WHO] = state[_TOPIC]
    _new_clause(state)


@compilable
def new_line(state: Numbers) -> None:
    """Nothing said before holds on a new line."""
    state[_REACH] = state[_PERSON_END] = state[_WITH] = state[_BEHALF] = -1
    state[_TOPIC] = state[_THIRD] = state[_NAMED] = state[_CHAINED] = 0
    _new_sentence(state)


def read(
    codes: Codes, spans: Numbers, kinds: NDArray[np.int8], letters: NDArray[np.uint16], nodes: NDArray[np.int16]
) -> Numbers:
    """The flags of one mention or more: cues and mentions in turn, from left to right, in lines that have a mention."""
    mentions = _rows(spans, kinds)
    state = np.zeros(SLOTS, dtype=np.int64)
    new_line(state)
    place, others, count, length = 0, 0, len(mentions), len(codes)
    limit = mentions[0, STARTS]
    line = _line_of(codes, 0, limit)
    while place < length:
        if place < line and state[_FIRST] == state[NEXT]:
            new_line(state)
            place, others = line, 0
        elif place == limit:
            _pass_others(state, others)
            place, others = mentions[state[NEXT], ENDS], 0
            mention(state, mentions, letters[codes[place]] & CLASSES if place < length else TEXT_END)
            limit = mentions[state[NEXT], STARTS] if state[NEXT] < count else length
            line = _line_of(codes, place, limit) if limit < length else length
        else:
            stop, word = _longest(codes, place, limit, letters, nodes)
            if word:
                _pass_others(state, others)
                others, kind = 0, word & (WORD - 1)
                if kind:
                    after = letters[codes[stop]] & CLASSES if stop < length else TEXT_END
                    cue(state, mentions, kind, place, stop, after)
                pass_over(state, word >> TRAIT_BITS, place, stop)
            else:
                others += stop - place
            place = stop
    return mentions[:, FLAGS] & ALL_FLAGS


@compilable
def _rows(spans: Numbers, kinds: NDArray[np.int8]) -> Numbers:
    rows = np.zeros((len(spans) // 3, 4), dtype=np.int64)
    for number in range(len(rows)):
        rows[number, STARTS], rows[number, ENDS] = spans[3 * number], spans[3 * number + 1]
        rows[number, KIND] = kinds[spans[3 * number + 2]]
    return rows


@compilable
def _line_of(codes: Codes, first: int, place: int) -> int:
    """Where the line of a place begins, from `first` on."""
    while place > first and codes[place - 1] != LINE_END:
        place -= 1
    return place


@compilable
def _longest(codes: Codes, place: int, limit: int, letters: Any, nodes: Any) -> tuple[int, int]:
    """Where the longest word at a place ends, and the word; 0 and a place to go on at where none begins."""
    stop, word, node = place, 0, 0
    while stop < limit and nodes[letters[codes[stop]] >> CLASS_BITS, OWNER] != 0:
        stop += 1
    if stop > place:
        return stop, word
    for at in range(place, limit):
        after = nodes[node, BASE] + (letters[codes[at]] >> CLASS_BITS)
        if nodes[after, OWNER] != node:
            break
        node = after
        if nodes[node, WORD_HERE]:
            stop, word = at + 1, nodes[node, WORD_HERE]
    return max(stop, place + 1), word


@compilable
def _pass_others(state: Numbers, count: int) -> None:
    """Note characters that belong to no word of the table."""
    state[_SINCE] += count
    state[_UNFILLED] += count
    state[_UNBARED] += count
    state[_UNCHAINED] += count
