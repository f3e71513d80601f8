"""Prompts for ranking: dialogues cut after the last turn in which the patient asks something."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from corpus.records import DEPARTMENTS, Dialogue, Message, Prompt, make_id
from corpus.sets import StageResult, read_dialogues
from corpus.turns import asking_turns
from corpus.worth_knowing import Facts
from foundation.errors import ZhongjingError
from foundation.jsonl import write_records
from foundation.manifest import read_manifest

STAGE = "sample"
UNKNOWN = "unknown"


def sample_prompts(
    version: Path,
    out: Path,
    *,
    count: int,
    seed: int,
    graph: Path | None = None,
    raw_ids: Collection[str] | None = None,
    proportional: bool = False,
) -> StageResult:
    """Write up to `count` prompts of a version (or set) to the file `out`, as many from each department as can be.

    Each prompt ends on the last turn in which the patient asks; the doctor's reply to it is its `reference`. With a
    graph, facts about what is spoken of stand beside it (`corpus.worth_knowing`). `raw_ids` restricts the choice to
    dialogues that their file called so; `proportional` keeps the departments' shares instead of evening them out. The
    same version, seed and options give the same prompts. Left out for `not_requested`, `no_asking_turn` or `not_drawn`;
    the details say which departments fall short of an even share, and which have nobody who asks.
    """
    if count < 1:
        raise ZhongjingError(f"{count} prompts cannot be sampled", hint="give a count of at least 1")
    name = read_manifest(version).name
    departments, rejected = _askers(version, raw_ids)
    available = sum(map(len, departments.values()))
    if not available:
        raise ZhongjingError("no dialogue asked for has a turn in which the patient asks", where=version)
    facts = Facts(graph) if graph is not None else None
    shares = (shares_of if proportional else even_shares)({name: len(ids) for name, ids in departments.items()}, count)
    written = write_records(out, _prompts(version, name, draw(departments, shares, seed), facts))
    rejected["not_drawn"] = available - written
    details: dict[str, int | str] = {"departments": len(departments)}
    if written < count:
        details["short_of_the_count_asked_for"] = count - written
    if not proportional:
        details |= _shortfalls(shares)
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
            departments[dialogue.department or UNKNOWN].append(dialogue.id)
        else:
            rejected[reason] += 1
    return departments, rejected


def cut(messages: Sequence[Message]) -> int | None:
    """How many messages to keep so that the last one is the last asking turn of the patient; None without one."""
    asking = asking_turns(messages)
    return next((place + 1 for place in reversed(range(len(asking))) if asking[place]), None)


def draw(groups: Mapping[str, Sequence[str]], shares: Mapping[str, int], seed: int) -> set[str]:
    """As many ids of every group as its share says."""
    return {
        identity
        for name, ids in groups.items()
        for identity in sorted(ids, key=lambda each: _lot(seed, each))[: shares[name]]
    }


def even_shares(sizes: Mapping[str, int], count: int) -> dict[str, int]:
    """How many of each group make `count`: the same of all, where a small group gives all it has and others make up."""
    shares, left = dict.fromkeys(sizes, 0), min(count, sum(sizes.values()))
    for done, name in enumerate(sorted(sizes, key=lambda each: (sizes[each], each))):
        shares[name] = min(sizes[name], left // (len(sizes) - done))
        left -= shares[name]
    return shares


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


def _shortfalls(shares: Mapping[str, int]) -> dict[str, str]:
    """Which departments have fewer prompts than others for want of dialogues, and which have none at all."""
    most = max(shares.values())
    short = [f"{name} {share}" for name, share in shares.items() if share < most - 1]
    missing = [name for name in DEPARTMENTS if name not in shares]
    told = {f"fewer_than_the_{most}_of_others": ", ".join(short), "nobody_asks_in": ", ".join(missing)}
    return {name: words for name, words in told.items() if words}


def _unfit(dialogue: Dialogue, raw_ids: Collection[str] | None) -> str | None:
    if raw_ids is not None and dialogue.meta.raw_id not in raw_ids:
        return "not_requested"
    return None if cut(dialogue.messages) is not None else "no_asking_turn"


def _lot(seed: int, identity: str) -> bytes:
    return hashlib.blake2b(f"{seed}:{identity}".encode(), digest_size=8).digest()
