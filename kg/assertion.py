"""Is a mentioned finding there, doubted, somebody else's, past? Rules with scopes, read from left to right.

After NegEx and ConText (Chapman 2001, Harkema 2009), with the cues and clause ends of Chinese consultations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kg.cues import Cue, cue_table

NEGATED, UNCERTAIN, FAMILY, OTHER, PAST = 1, 2, 4, 8, 16

_FILLER = re.compile(
    "(?:明显|任何|特别|出现|发现|发生|什么|啥|过|患有|得|患|有|的|再|太|怎么|感觉|觉得|感到|到|伴|合并|其他|其它|很|是|为|以往|既往"
    "|诊断|存在|见|查出|显示|提示|慢性|急性|严重|轻度|遗传性?|反复|持续|剧烈|典型|单纯|先天性|身体|全身|局部|剧烈的|这种|这些|上述|过敏"
    "|做|打|吃|喝|用|服|服用|使用|口服|药物|及|和|或|与|、|会|能|要|可以|建议|曾|经常|一直|真正|真的|啥子|现在|目前|流|冒|那么|这么)*"
)
_BARE_FILLER = re.compile(
    "(?:是|会|太|很|怎么|再|曾|有|见|得|患|过|出现|发生|感觉|觉得|伴有?|什么|啥|任何|明显的?|特别|吃过?|用过?|服用过?|做过?|打过?|喝)*"
)
_CHAIN = re.compile("(?:[、和及或与跟/,，等及以都的]|以及|或者|还有|并且|症状|病史|史|也?没有?|也?不|也?无)*")
_BLOCKED = re.compile("[吃用服治好看去能会药时因所就了有让]")
_OPEN_QUESTION = re.compile("什么|怎么|怎样|怎麼|咋|如何|多少|多久|多大|多长|几|哪|为何|啥|谁|何")
_PRESUPPOSING = re.compile("能|可以|会|要|需|严重|正常|好|行|吃|用|治|传染|遗传|影响|做|有用|有效")
_LIST_END = re.compile(r"[，,。.、；;！!\s)）]|病?史|$|等|和|及|或")
_CLAUSE_END = re.compile(r"[，,。.；;！!？?\s)）]|$|了|的|啊|呢|哦|哈|呀")
_REPORTING = frozenset("说觉让叫带给催问担陪讲考怀想认")
_NEAR, _FAR, _SHORT, _POST = 6, 12, 4, 4

Span = tuple[int, int, bool]


class Sign(NamedTuple):
    """A cue where it stands."""

    kind: Cue
    start: int
    end: int


def statuses(text: str, mentions: Sequence[Span]) -> list[int]:
    """The flags of each mention of a normalised text: `NEGATED | UNCERTAIN | FAMILY | OTHER | PAST`.

    `mentions` are start, end and whether it is something taken or done (a drug, an examination), sorted and disjoint.
    """
    if not mentions:
        return []
    reading = _Reading(text, mentions)
    automaton, kinds, _ = cue_table()
    place, count = 0, len(mentions)
    for start, end, pattern in automaton.find(text):
        while place < count and mentions[place][0] < end:
            if mentions[place][1] > start:
                break
            reading.mention(place)
            place += 1
        if place < count and mentions[place][0] < end and mentions[place][1] > start:
            continue
        if place and mentions[place - 1][1] > start:
            continue
        reading.cue(Sign(kinds[pattern], start, end))
    while place < count:
        reading.mention(place)
        place += 1
    return reading.flags


class _Reading:
    """What is in force at the place read so far."""

    def __init__(self, text: str, mentions: Sequence[Span]) -> None:
        self.text, self.mentions = text, mentions
        self.flags = [0] * len(mentions)
        self.clause_start = 0
        self.in_clause: list[int] = []
        self._sentence()

    def _sentence(self) -> None:
        self.negation: Cue | None = None
        self.negation_end = self.doubt_end = -1
        self.chained = self.crossed = False
        self.lasting = 0
        self.past = False

    def mention(self, number: int) -> None:
        """A mention comes: what is in force holds of it."""
        start, end, _ = self.mentions[number]
        flags = self.lasting | (PAST if self.past else 0)
        if self.negation is not None and self._reaches(start, end):
            flags |= NEGATED
            self.negation_end, self.chained = end, True
        else:
            self.negation = None
        if self.doubt_end >= 0 and (start - self.doubt_end <= _FAR):
            flags |= UNCERTAIN
            self.doubt_end = end
        self.flags[number] = flags
        self.in_clause.append(number)

    def _reaches(self, start: int, end: int) -> bool:
        gap = self.text[self.negation_end : start]
        if self.crossed:
            self.crossed = False
            return not gap and _LIST_END.match(self.text, end) is not None
        if self.chained:
            return len(gap) <= _NEAR and _CHAIN.fullmatch(gap) is not None
        if self.negation is Cue.BARE_NEGATION:
            return len(gap) <= _NEAR and _BARE_FILLER.fullmatch(gap) is not None
        if len(gap) > _FAR:
            return False
        return _FILLER.fullmatch(gap) is not None or (len(gap) <= _SHORT and not _BLOCKED.search(gap))

    def cue(self, sign: Sign) -> None:
        """A cue comes: it changes what is in force, or reaches back to the mentions of its clause."""
        action = _ACTIONS.get(sign.kind)
        if action:
            action(self, sign)

    def _negate(self, sign: Sign) -> None:
        if self._reaches_back(sign.start) and _CLAUSE_END.match(self.text, sign.end):
            asked = self.text.startswith(("?", "吗"), sign.end)
            self._back(UNCERTAIN if asked else NEGATED)
        else:
            self.negation, self.negation_end = sign.kind, sign.end
            self.chained = self.crossed = False

    def _reaches_back(self, start: int) -> bool:
        return bool(self.in_clause) and start - self.mentions[self.in_clause[-1]][1] <= 1

    def _back(self, flag: int) -> None:
        """Mark the last mention of the clause and those listed with it."""
        later: int | None = None
        for number in reversed(self.in_clause):
            if later is not None and not _CHAIN.fullmatch(
                self.text[self.mentions[number][1] : self.mentions[later][0]]
            ):
                break
            self.flags[number] |= flag
            later = number

    def _absent(self, sign: Sign) -> None:
        if self.in_clause and sign.start - self.mentions[self.in_clause[-1]][1] <= _POST:
            self._back({Cue.ABSENT: NEGATED, Cue.DOUBTED: UNCERTAIN, Cue.HISTORY: PAST}[sign.kind])

    def _doubt(self, sign: Sign) -> None:
        follows = self._reaches_back(sign.start) and _CLAUSE_END.match(self.text, sign.end) is not None
        if follows:
            self._back(UNCERTAIN)
        else:
            self.doubt_end, self.negation = sign.end, None

    def _ask(self, sign: Sign) -> None:
        """A yes-or-no question doubts what it asks about; 怎么办 and 能治好吗 take the finding for granted."""
        if sign.kind is Cue.ASKED and not _CLAUSE_END.match(self.text, sign.end):
            return
        if not _OPEN_QUESTION.search(self.text[self.clause_start : sign.start]):
            for number in self.in_clause:
                _, stop, taken = self.mentions[number]
                if taken or not _PRESUPPOSING.search(self.text[stop : sign.start]):
                    self.flags[number] = (self.flags[number] & ~NEGATED) | UNCERTAIN
        if sign.kind is Cue.QUESTION:
            self._end(sign)

    def _experiencer(self, sign: Sign) -> None:
        if self.text[sign.end : sign.end + 1] not in _REPORTING:
            self.lasting = FAMILY if sign.kind is Cue.FAMILY else OTHER

    def _family_history(self, _sign: Sign) -> None:
        self._back(FAMILY)
        self.lasting = FAMILY

    def _self(self, _sign: Sign) -> None:
        self.lasting = 0

    def _past(self, _sign: Sign) -> None:
        self.past = True

    def _now(self, _sign: Sign) -> None:
        self.past = False

    def _stop(self, _sign: Sign) -> None:
        self.negation, self.doubt_end = None, -1

    def _comma(self, sign: Sign) -> None:
        goes_on = self.negation is Cue.DENIAL and self.chained
        if goes_on:
            self.negation_end, self.crossed = sign.end, True
        else:
            self.negation = None
        self.doubt_end = -1
        if self.in_clause:
            self.past = False
        self.in_clause, self.clause_start = [], sign.end

    def _end(self, sign: Sign) -> None:
        if self.text[sign.start] == "." and self.text[sign.end : sign.end + 1].isdigit():
            return
        self._sentence()
        self.in_clause, self.clause_start = [], sign.end


_ACTIONS: dict[Cue, Callable[[_Reading, Sign], None]] = {
    Cue.NEGATION: _Reading._negate,
    Cue.DENIAL: _Reading._negate,
    Cue.BARE_NEGATION: _Reading._negate,
    Cue.ABSENT: _Reading._absent,
    Cue.DOUBTED: _Reading._absent,
    Cue.HISTORY: _Reading._absent,
    Cue.UNCERTAIN: _Reading._doubt,
    Cue.ASKED: _Reading._ask,
    Cue.QUESTION: _Reading._ask,
    Cue.FAMILY: _Reading._experiencer,
    Cue.OTHER: _Reading._experiencer,
    Cue.FAMILY_HISTORY: _Reading._family_history,
    Cue.SELF: _Reading._self,
    Cue.PAST: _Reading._past,
    Cue.NOW: _Reading._now,
    Cue.STOP: _Reading._stop,
    Cue.COMMA: _Reading._comma,
    Cue.SENTENCE: _Reading._end,
}
