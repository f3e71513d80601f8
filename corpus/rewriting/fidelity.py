"""Whether a rewrite says what the original said: nothing lost, nothing added, nothing turned round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Literal

import msgspec

from corpus.rewriting.facts import KIN, PRIVATE, Clause, Fact, FactKind, FactReader, Facts, Negation

FaultKind = Literal["entity", "quantity", "negation", "advice", "usage", "question", "certainty", "statement", "form"]
Change = Literal["lost", "added", "changed"]

_KINDS: dict[FactKind, FaultKind] = {
    "entity": "entity",
    "drug": "entity",
    "finding": "entity",
    "term": "entity",
    "mark": "entity",
    "test": "advice",
    "advice": "advice",
    "usage": "usage",
    "ask": "question",
}
_STRAY, _LEAST = 3, 2
_COVERED = 0.5
_ASKED = 0.5
_ASKED_BESIDE = 0.34
_ABOUT = 0.34
_SAID = {"lost": "少了", "added": "多了", "changed": "变了"}
_NAMED: dict[FaultKind, str] = {
    "entity": "名称",
    "quantity": "数量",
    "negation": "否定",
    "advice": "建议",
    "usage": "用法",
    "question": "提问",
    "certainty": "肯定程度",
    "statement": "内容",
    "form": "格式",
}


class Fault(msgspec.Struct, frozen=True):
    """A fact that a rewrite lost, added or changed. `what` is the fact as its text says it."""

    kind: FaultKind
    change: Change
    what: str

    def reason(self) -> str:
        """In words, for whoever is to do it better."""
        return f"{_NAMED[self.kind]}{_SAID[self.change]}：{self.what.strip()}"


class FidelityCheck:
    """Compares rewrites with originals by the names of one graph. Threads may share it."""

    def __init__(self, reader: FactReader) -> None:
        self._reader = reader

    def faults(self, original: str, rewrite: str) -> list[Fault]:
        """What is wrong with a rewrite, the first of each kind and fact; none where it is faithful."""
        said, says = self._reader.read(original), self._reader.read(rewrite)
        faults = compare(said, says)
        if any(fault.kind == "entity" for fault in faults):
            faults = min(faults, compare(self._reader.read(original, misspelt=True), says), key=len)
        return faults


def compare(said: Facts, says: Facts) -> list[Fault]:
    """The differences between what was said and what a rewrite says."""
    faults = [
        *_facts(said, says),
        *_quantities(said, says),
        *_negations(said.negations, says, "lost"),
        *_negations(says.negations, said, "added"),
        *_questions(said.possible, says.possible, "lost"),
        *_questions(says.questions, said.possible, "added"),
        *_certainty(said, says),
    ]
    if not faults:
        faults += [*_clauses(said.clauses, says.sentences, "lost"), *_clauses(says.clauses, said.sentences, "added")]
    return list(dict.fromkeys(faults))


def _facts(said: Facts, says: Facts) -> Iterator[Fault]:
    before, after = _by_key(said.facts), _by_key(says.facts)
    kin = KIN & before.keys()
    same_kin = bool(kin) and kin == KIN & after.keys()
    for key, facts in before.items():
        if key not in after:
            yield Fault(_KINDS[facts[0].kind], "lost", facts[0].written)
        else:
            yield from _states(facts, after[key], same_kin)
    for key, facts in after.items():
        if key not in before:
            yield Fault(_KINDS[facts[0].kind], "added", facts[0].written)


def _states(before: list[Fact], after: list[Fact], kin: bool) -> Iterator[Fault]:
    """What is otherwise of a fact that both sides have; `kin` says that both name the same relatives."""
    if {fact.polarity for fact in before} != {fact.polarity for fact in after}:
        yield Fault("negation", "changed", before[0].written)
    elif _doubts(before) and _doubts(after) and _doubts(before) != _doubts(after):
        yield Fault("certainty", "changed", before[0].written)
    elif not kin and {fact.whose for fact in before} != {fact.whose for fact in after}:
        yield Fault("entity", "changed", before[0].written)


def _doubts(facts: list[Fact]) -> set[bool]:
    """Whether it is doubted where it is stated: 没有发烧的话 and 没有发烧 deny alike, and a question leaves it open."""
    return {fact.doubted for fact in facts if fact.polarity == "+" and not fact.asked}


def _by_key(facts: Iterable[Fact]) -> dict[str, list[Fact]]:
    found: dict[str, list[Fact]] = {}
    for fact in facts:
        found.setdefault(fact.key, []).append(fact)
    return found


def _quantities(said: Facts, says: Facts) -> Iterator[Fault]:
    written = {one.key: one.written for one in (*says.quantities, *said.quantities)}
    before, after = (Counter(one.key for one in facts.quantities) for facts in (said, says))
    for key in before - after:
        yield Fault("quantity", "lost", written[key])
    for key in after - before:
        yield Fault("quantity", "added", written[key])
    if before == after and {drug for drug, _ in said.doses} <= {fact.key for fact in says.facts}:
        for drug, key in sorted((Counter(said.doses) - Counter(says.doses)).keys()):
            yield Fault("quantity", "changed", f"{drug} {written[key]}")


def _negations(negations: list[Negation], other: Facts, change: Change) -> Iterator[Fault]:
    """A refusal needs one of the same kind about the same thing on the other side."""
    for negation in negations:
        if not any(_alike(negation, one) for one in other.negations):
            yield Fault("negation", change, negation.written)


def _alike(one: Negation, other: Negation) -> bool:
    least = min(len(one.content), len(other.content))
    return one.polarity == other.polarity and len(one.content & other.content) >= _ABOUT * least


def _questions(questions: list[Clause], others: list[Clause], change: Change) -> Iterator[Fault]:
    asked = frozenset[str]().union(*(other.letters for other in others))
    for question in questions:
        if not (others and _is_asked(question.content or question.letters, asked)):
            yield Fault("question", change, question.written)


def _is_asked(content: frozenset[str], asked: frozenset[str]) -> bool:
    """Whether a question is among others: all its names and concepts, and a good part of what else it says."""
    names = {one for one in content if ord(one) >= PRIVATE}
    rest = content - names
    if names:
        return names <= asked and (len(rest - asked) <= 1 or len(rest & asked) >= _ASKED_BESIDE * len(rest))
    return len(rest & asked) >= _ASKED * len(rest)


def _certainty(said: Facts, says: Facts) -> Iterator[Fault]:
    if said.hedged != says.hedged and not (said.questions or says.questions):
        yield Fault("certainty", "lost" if said.hedged else "added", "不确定的语气")
    if said.assured != says.assured:
        yield Fault("certainty", "lost" if said.assured else "added", "肯定的语气")


def _clauses(clauses: list[Clause], sentences: list[Clause], change: Change) -> Iterator[Fault]:
    """A clause most of whose sense is in no two neighbouring sentences of the other side."""
    pairs = pairwise([frozenset(), *(one.letters for one in sentences), frozenset()])
    there = [one | other for one, other in pairs]
    for clause in clauses:
        stray = min(len(clause.content - letters) for letters in there)
        if stray == len(clause.content) >= _LEAST or (stray >= _STRAY and stray > (1 - _COVERED) * len(clause.content)):
            yield Fault("statement", change, clause.written)
