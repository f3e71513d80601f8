"""Prompts for ranking: dialogues cut after the last turn in which the patient asks something."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from corpus.records import Dialogue, Message, Prompt, make_id
from corpus.sets import StageResult, read_dialogues
from corpus.turns import asks
from foundation.errors import ZhongjingError
from foundation.jsonl import write_records
from foundation.manifest import read_manifest

if TYPE_CHECKING:
    from kg.graph import KnowledgeGraph
    from kg.linker import EntityLinker

STAGE = "sample"
MAX_FACTS = 6

# What a rater should know first: what harms, then what helps, then what belongs together.
_CARE = ("禁忌", "药物相互作用", "适应症", "不良反应", "注意事项", "就诊科室")
# A graph has too many of these: shown only where both ends are spoken of.
_DESCRIPTION = ("检查", "治疗", "临床表现", "并发症")
_RELATIONS = (*_CARE, *_DESCRIPTION)
_PER_RELATION = 2

Fact = tuple[str, str, str]


def sample_prompts(
    version: Path,
    out: Path,
    *,
    count: int,
    seed: int,
    graph: Path | None = None,
    raw_ids: Collection[str] | None = None,
) -> StageResult:
    """Write up to `count` prompts of a version (or set) to the file `out`, in proportion to its departments.

    Each prompt ends on the last turn in which the patient asks; the doctor's reply to it is its `reference`. With
    a graph, facts about what the patient speaks of stand beside it. `raw_ids` restricts the choice to dialogues
    that their file called so. The same version, seed and options give the same prompts. Left out for
    `not_requested`, `no_asking_turn` or `not_drawn`.
    """
    if count < 1:
        raise ZhongjingError(f"{count} prompts cannot be sampled", hint="give a count of at least 1")
    name = read_manifest(version).name
    departments, rejected = _askers(version, raw_ids)
    available = sum(map(len, departments.values()))
    if not available:
        raise ZhongjingError("no dialogue asked for has a turn in which the patient asks", where=version)
    facts = Facts(graph) if graph is not None else None
    written = write_records(out, _prompts(version, name, draw(departments, count, seed), facts))
    rejected["not_drawn"] = available - written
    details: dict[str, int | str] = {"departments": len(departments)}
    if written < count:
        details["short_of_the_count_asked_for"] = count - written
    return StageResult(
        stage=STAGE,
        read=written + sum(rejected.values()),
        kept=written,
        rejected={reason: number for reason, number in sorted(rejected.items()) if number},
        details=details,
    )


def _askers(version: Path, raw_ids: Collection[str] | None) -> tuple[dict[str, list[str]], Counter[str]]:
    """Ids of the dialogues that can become prompts, by department, and how many cannot, by reason."""
    departments: dict[str, list[str]] = defaultdict(list)
    rejected: Counter[str] = Counter()
    for dialogue in read_dialogues(version):
        reason = _unfit(dialogue, raw_ids)
        if reason is None:
            departments[dialogue.department or ""].append(dialogue.id)
        else:
            rejected[reason] += 1
    return departments, rejected


def cut(messages: Sequence[Message]) -> int | None:
    """How many messages to keep so that the last one is the last asking turn of the patient; None without one."""
    return next(
        (
            index + 1
            for index in reversed(range(len(messages)))
            if messages[index].role == "user" and asks(messages[index].content)
        ),
        None,
    )


def draw(groups: Mapping[str, Sequence[str]], count: int, seed: int) -> set[str]:
    """Ids drawn from every group: one each where `count` allows, the rest in proportion to what is left of them."""
    shares = shares_of({name: len(ids) for name, ids in groups.items()}, count)
    return {
        identity
        for name, ids in groups.items()
        for identity in sorted(ids, key=lambda each: _lot(seed, each))[: shares[name]]
    }


def shares_of(sizes: Mapping[str, int], count: int) -> dict[str, int]:
    """How many of each group (of at least one) make `count`: one each first, then by largest remainders."""
    count = min(count, sum(sizes.values()))
    first = int(count >= len(sizes))
    room = {name: size - first for name, size in sizes.items()}
    rest, total = count - first * len(sizes), max(sum(room.values()), 1)
    shares = {name: first + rest * size // total for name, size in room.items()}
    by_remainder = sorted(sizes, key=lambda name: (-(rest * room[name] % total), name))
    for name in by_remainder[: count - sum(shares.values())]:
        shares[name] += 1
    return shares


class Facts:
    """Triples of a graph worth showing beside a prompt."""

    def __init__(self, graph: Path) -> None:
        from kg.graph import KnowledgeGraph
        from kg.linker import EntityLinker

        self.graph: KnowledgeGraph = KnowledgeGraph.open(graph)
        self.linker: EntityLinker = EntityLinker(self.graph)

    def of(self, messages: Sequence[Message]) -> dict[str, str]:
        """Up to `MAX_FACTS` triples about what is spoken of and not denied, each with where it was stated.

        Such that join two things spoken of come first, then those about the last turn.
        """
        from kg.card import provenance

        last = self._entities(messages[-1:])
        spoken = list(dict.fromkeys([*last, *self._entities(messages[:-1])]))
        facts = {
            (triple.subject, triple.relation, triple.object): triple
            for entity in spoken
            for triple in self.graph.triples(subject=entity)
            if triple.relation in (_RELATIONS if triple.object in spoken else _CARE)
        }
        ranked = sorted(facts, key=lambda fact: _interest(fact, spoken, len(last)))
        return {" ".join(fact): provenance(facts[fact]) for fact in _varied(ranked)}

    def _entities(self, messages: Sequence[Message]) -> list[str]:
        mentions = (mention for message in messages for mention in self.linker.link(message.content))
        return list(dict.fromkeys(mention.entity for mention in mentions if not mention.negated))


def _interest(fact: Fact, spoken: Sequence[str], last: int) -> tuple[bool, bool, int, Fact]:
    """Sorts first what joins two things spoken of, then what concerns the last turn, then by relation."""
    subject, relation, object_ = fact
    return object_ not in spoken, spoken.index(subject) >= last, _RELATIONS.index(relation), fact


def _varied(facts: Sequence[Fact]) -> Iterator[Fact]:
    """The first facts, no more than a few of one relation."""
    used: dict[str, int] = defaultdict(int)
    for fact in facts:
        if used[fact[1]] < _PER_RELATION and sum(used.values()) < MAX_FACTS:
            used[fact[1]] += 1
            yield fact


def _prompts(version: Path, name: str, chosen: Collection[str], facts: Facts | None) -> Iterator[Prompt]:
    for dialogue in read_dialogues(version):
        end = cut(dialogue.messages) if dialogue.id in chosen else None
        if end is None:
            continue
        following = dialogue.messages[end : end + 1]
        messages = dialogue.messages[:end]
        known = facts.of(messages) if facts else {}
        yield Prompt(
            prompt_id=make_id("p", name, dialogue.id, end),
            messages=messages,
            dialogue_id=dialogue.id,
            dataset_version=name,
            department=dialogue.department,
            facts=list(known),
            fact_sources=list(known.values()),
            reference=following[0].content if following and following[0].role == "assistant" else None,
        )


def _unfit(dialogue: Dialogue, raw_ids: Collection[str] | None) -> str | None:
    if raw_ids is not None and dialogue.meta.raw_id not in raw_ids:
        return "not_requested"
    return None if cut(dialogue.messages) is not None else "no_asking_turn"


def _lot(seed: int, identity: str) -> bytes:
    return hashlib.blake2b(f"{seed}:{identity}".encode(), digest_size=8).digest()
