"""A text as sentences in which every name is a letter: pronouns resolved, answers joined to their questions."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

import msgspec

from kg.checking.patterns import question_start
from kg.checking.phrases import Omission

_SENTENCE = re.compile(r"(?:[^。！!？?；;\n.]|\.(?![\u4e00-\u9fff\s]))+[。！!？?；;\n.]*")
_DRUG_MEANT = "(?:这|那|该|此|本)[个种款类]?(?:药物|药品|药|制剂)|本品"
_ILLNESS_MEANT = "(?:这|该|此|本)[个种类]?(?:疾病|病症|病|症)(?![人房历程情因原毒变史])"
_ANY_MEANT = "(?<!其)它(?!们)|其(?=常见|主要|典型|副作用|不良|症状|表现|禁忌)"
_BOTH_MEANT = "(?:这|上述)?(?:两种药物?|两个药|两药)|二者|两者"
_MEANT = re.compile(f"(?P<both>{_BOTH_MEANT})|(?P<D>{_DRUG_MEANT})|(?P<F>{_ILLNESS_MEANT})|(?P<any>{_ANY_MEANT})")
_ANSWER = re.compile(
    "(?:答|您好|你好|当然|完全|绝对|[:,])*(?:(?P<no>不能够?|不可以?|不行|不建议|不推荐|不会|不要)|可以|能|行|是的|对|会|没问题)"
    "(?:吃|用|喝|服用|使用|一起)*的?(?:[,。.!;\\s]|$)"
)
_REPLY = re.compile("(?:不?会|是|对|不?可以|不?能|不行|有|当然|要是有|如果[有是])(?:的话?)?[,的]?")
_ASKING = re.compile("(?:能不能|能否|可不可以|可否|是否可以|是否能够?|可以|能够?)")
_WHICH = re.compile(
    "(?:[的有是会]*(?:什么|哪些|啥)(?P<of>副作用|不良反应|症状|表现|并发症|禁忌)"
    "|(?P<do>[挂看去做查吃用])(?:什么|哪个|哪些|啥)(?:科室?|检查|药物?))[?\\s]*$"
)
_ASKS = re.compile("(?:吗|么|呢)?[?\\s]*$")
_REPLACED = re.compile("(?:代替|替代|而不是|停用?|换掉|误(?:以|认)?为是?|误诊[为成])[^A-Z,]{0,2}$")
_UNRELATED = re.compile(
    "[A-Z](?:[^A-Z,]{0,8}?(?:无关|没有?(?:什么|任何|太大|多大)?关系|毫无关系|关系不大)|的可能性?(?:不大|很小))"
)
_SUPPOSED = re.compile("(?:如果|若|要是|假如|万一)[^,A-Z]*$")
_LOOK_BACK, _SUPPOSING = 6, 12
_CHANGED = re.compile("没|阴性|清除|痊愈|治愈|好了|妻子|丈夫|老公|老婆|爱人|伴侣|对方|家属|家人")
"""Between a name and a clause that leaves it out: it is no longer so, or of somebody else."""
_RECENT, _REMEMBERED = 2, 6
_CLAUSE = 90
_SHORT = 16
_NEARBY = 32
_BOTH = 2


class Item(msgspec.Struct, frozen=True):
    """A name in the normalised text: its letter, its span, and the entities of the graph it stands for."""

    letter: str
    start: int
    end: int
    name: str
    entities: list[str]
    is_symptom: bool = False
    of_family: bool = False


class Skeleton(msgspec.Struct, frozen=True):
    """A sentence with letters for names, and the item behind each letter by its position."""

    text: str
    items: dict[int, Item]


class Elliptic(msgspec.Struct, frozen=True):
    """The rest of a sentence from a clause on, with what was spoken of before as its first letter.

    `is_plain` where there is little doubt what that is: the same sentence, or the one just before ends on it.
    """

    skeleton: Skeleton
    topic: Item
    omission: Omission
    is_plain: bool


class Reading:
    """Reads a text sentence by sentence and remembers what was spoken of."""

    def __init__(self, text: str, items: Sequence[Item]) -> None:
        self._text, self._items = text, items
        self._starts = [item.start for item in items]
        self._spoken: dict[str, tuple[int, list[Item]]] = {}
        self._topics: dict[str, tuple[int, Item]] = {}
        self._plain: dict[str, int] = {}

    def sentences(self) -> Iterator[tuple[Skeleton, list[Elliptic]]]:
        """Each sentence, and its clauses that leave out what they speak of."""
        asked: Skeleton | None = None
        for number, found in enumerate(_SENTENCE.finditer(self._text)):
            inside = self._items[bisect_left(self._starts, found.start()) : bisect_left(self._starts, found.end())]
            skeleton = self._skeleton(found.start(), found.end(), inside, number)
            answered = _answered(asked, skeleton) if asked else None
            if answered:
                yield answered, []
            if asked and _REPLY.match(skeleton.text):
                self._remember(asked, number - 1, is_asked=False)
            yield skeleton, list(self._elliptic(skeleton, number))
            is_asked = question_start(skeleton.text) < len(skeleton.text)
            asked = skeleton if is_asked else None
            self._remember(skeleton, number, is_asked=is_asked)

    def _skeleton(self, start: int, end: int, items: Sequence[Item], number: int) -> Skeleton:
        parts, by_place, place, length = list[str](), dict[int, Item](), start, 0
        for item in self._with_pronouns(start, end, items, number):
            joined = "和" if item.start < place else ""
            between = joined or self._text[place : item.start]
            parts += (between, item.letter)
            length += len(between)
            by_place[length] = item
            length, place = length + 1, max(place, item.end)
        parts.append(self._text[place:end])
        return Skeleton("".join(parts), by_place)

    def _with_pronouns(self, start: int, end: int, items: Sequence[Item], number: int) -> Sequence[Item]:
        found = list(_MEANT.finditer(self._text, start, end))
        if not found:
            return items
        every, starts = list(items), [item.start for item in items]
        for pronoun in found:
            place = bisect_left(starts, pronoun.end())
            before = items[max(0, place - _REMEMBERED) : place]
            if not before or before[-1].end <= pronoun.start():
                meant = self._meant(pronoun.lastgroup or "any", before, number)
                span = pronoun.span()
                every += [msgspec.structs.replace(item, start=span[0], end=span[1]) for item in meant]
        return sorted(every, key=lambda item: item.start)

    def _meant(self, kind: str, before: Sequence[Item], number: int) -> list[Item]:
        """What a pronoun stands for: the nearest name of its kind, in this sentence or the ones just before."""
        letters = {"both": "D", "any": "DF"}.get(kind, kind)
        near = [item for item in before if item.letter in letters] or [
            item
            for letter in letters
            if letter in self._spoken and number - self._spoken[letter][0] <= _RECENT
            for item in self._spoken[letter][1]
        ]
        if kind == "both":
            return near[-_BOTH:] if len({item.name for item in near}) == _BOTH else []
        ill = [item for item in near if item.letter == "F" and not item.is_symptom]
        return ill[-1:] if kind == "F" and ill else near[-1:]

    def _elliptic(self, skeleton: Skeleton, number: int) -> Iterator[Elliptic]:
        earlier = {
            letter: item
            for letter, (last, item) in self._topics.items()
            if number - last <= (_RECENT if letter == "F" else 1)
        }
        topics = dict(earlier)
        places = sorted(skeleton.items)
        clauses = [0, *(place + 1 for place, mark in enumerate(skeleton.text) if mark == ",")]
        passed = 0
        named = dict[str, int]()
        for start in clauses:
            while passed < len(places) and places[passed] < start:
                if not _is_set_aside(skeleton.text, places[passed]):
                    _update(topics, skeleton.items[places[passed]])
                    named[skeleton.items[places[passed]].letter] = places[passed]
                passed += 1
            rest = skeleton.text[start : start + _CLAUSE]
            near = places[passed : bisect_left(places, start + _CLAUSE)]
            for topic in topics.values() if near else ():
                moved = {place - start + 1: skeleton.items[place] for place in near}
                omission = Omission.FAR if earlier.get(topic.letter) is topic else Omission.NEAR
                if omission is Omission.NEAR:
                    place = named[topic.letter]
                    is_plain = start - place <= _NEARBY and not _CHANGED.search(skeleton.text, place, start)
                else:
                    is_plain = self._plain.get(topic.letter) == number - 1 == self._topics[topic.letter][0]
                yield Elliptic(Skeleton(topic.letter + rest, {0: topic, **moved}), topic, omission, is_plain)

    def _remember(self, skeleton: Skeleton, number: int, *, is_asked: bool) -> None:
        for letter in "DF":
            spoken = [item for _, item in sorted(skeleton.items.items()) if item.letter == letter]
            if spoken:
                self._spoken[letter] = (number, spoken[-_REMEMBERED:])
        self._plain.update(dict.fromkeys(_plainly_named(skeleton), number))
        if not is_asked:
            latest: dict[str, Item] = {}
            for place, item in sorted(skeleton.items.items()):
                supposed = item.letter == "G" and _SUPPOSED.search(skeleton.text, max(0, place - _SUPPOSING), place)
                if not supposed and not _is_set_aside(skeleton.text, place):
                    _update(latest, item)
            self._topics.update({letter: (number, item) for letter, item in latest.items()})


def _plainly_named(skeleton: Skeleton) -> set[str]:
    """The letters of what a sentence leaves no doubt it speaks of: it is short, or its short last clause names one."""
    letters = [item.letter for item in skeleton.items.values()]
    if len(skeleton.text) <= _SHORT:
        return set(letters)
    last = skeleton.text.rfind(",") + 1
    ending = {item.letter for place, item in skeleton.items.items() if place >= last}
    return {
        letter for letter in ending & set("DF") if letters.count(letter) == 1 and len(skeleton.text) - last <= _SHORT
    }


def _update(topics: dict[str, Item], item: Item) -> None:
    """A name becomes what is spoken of; a symptom does not take the place of an illness."""
    known = topics.get(item.letter)
    if item.letter in "DFG" and not (item.is_symptom and known and not known.is_symptom):
        topics[item.letter] = item


def _is_set_aside(skeleton: str, place: int) -> bool:
    """Whether a name is mentioned as not what is meant: 误以为是感冒, 跟脂肪肝没有关系."""
    before = _REPLACED.search(skeleton, max(0, place - _LOOK_BACK), place)
    return before is not None or _UNRELATED.match(skeleton, place) is not None


def _answered(asked: Skeleton, answer: Skeleton) -> Skeleton | None:
    """A question with its answer as a statement: 孕妇能吃吗? 不能 is 孕妇不能吃; 有什么副作用? 恶心 is 副作用恶心."""
    which = _WHICH.search(asked.text)
    if which:
        told = asked.text[: which.start()] + (which["do"] or f"{which['of']}:")
        items = {place: item for place, item in asked.items.items() if place < which.start()}
        items.update({place + len(told): item for place, item in answer.items.items()})
        return Skeleton(told + answer.text, items)
    found = _ANSWER.match(answer.text)
    verb = _ASKING.search(asked.text, question_start(asked.text))
    if not found or verb is None:
        return None
    said = "不能" if found["no"] else "可以"
    shift = len(said) - len(verb[0])
    text = _ASKS.sub("", asked.text[: verb.start()] + said + asked.text[verb.end() :])
    items = {place + shift * (place >= verb.end()): item for place, item in asked.items.items()}
    return Skeleton(text, items)
