"""A mix to fine-tune on: four kinds of conversations in given shares, drawn by seed, with every shortage said.

Against forgetting, a medical model is tuned on single-turn answers, multi-turn dialogues, tasks of medical language
processing and general conversations together (Yang et al., AAAI 2024). The rows are what TRL's SFTTrainer reads.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import isclose
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from corpus.mixing.card import mix_card
from corpus.mixing.shares import Allotment, Shortfall, allot
from corpus.mixing.sources import STAGE, MixSource, OpenSource, conversations, opened
from corpus.records import Dialogue, Message
from foundation.errors import ZhongjingError
from foundation.files import new_folder
from foundation.jsonl import dump_json
from foundation.manifest import claim_folder, write_manifest
from foundation.progress import track
from foundation.recipes import read_recipe
from foundation.rejects import Reject, write_rejects

KIND = "sft-mix"
ROWS = "mix.jsonl"
REJECTS = "rejects.jsonl"
CARD = "README.md"

MixKind = Literal["single-turn", "multi-turn", "nlp-task", "general"]
Lots = dict[str, set[bytes]]


class MixPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind: its `share` of the rows (0 to 1), no more than `cap` rows, and where they come from.

    `system` is set before each conversation, in place of its own where it has one.
    """

    share: Annotated[float, Meta(gt=0, le=1)]
    sources: Annotated[list[MixSource], Meta(min_length=1)]
    cap: Annotated[int, Meta(ge=1)] | None = None
    system: str | None = None


class MixRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `corpus mix` reads. Without `rows` there are as many as the shares allow.

    `shortfall` says what happens where a kind has fewer rows than its share: refuse (nothing is written), shrink (fewer
    rows in all, in the shares asked for), fill (the other kinds fill up, as far as they have rows).
    """

    kinds: Annotated[dict[MixKind, MixPart], Meta(min_length=1)]
    rows: Annotated[int, Meta(ge=1)] | None = None
    seed: int = 0
    shortfall: Shortfall = "refuse"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `mix.jsonl`. `dialogue_id`, `file` and `line` lead back to where it came from."""

    messages: list[Message]
    kind: MixKind
    source: str
    dialogue_id: str
    file: str
    line: int


class Mixed(msgspec.Struct, frozen=True, kw_only=True):
    """What a mix holds: an allotment for each kind, rows by source, and what was left out by reason (rows that were
    fit but not drawn aside)."""

    rows: int
    kinds: list[Allotment]
    sources: dict[str, int]
    rejected: dict[str, int]

    def lines(self) -> Iterator[str]:
        """Lines for a person, with the numbers of every shortage."""
        for kind in self.kinds:
            yield kind.line()
        if self.rejected:
            yield "left out: " + ", ".join(f"{reason} {count:,}" for reason, count in self.rejected.items())
        wanted = sum(kind.wanted for kind in self.kinds)
        yield f"mix: {self.rows:,} rows" + (f" of {wanted:,} asked for" if self.rows < wanted else "")


class _Part(msgspec.Struct, frozen=True):
    """One kind with its sources opened."""

    kind: MixKind
    part: MixPart
    sources: list[OpenSource]


def mix(path: Path, out: Path) -> Mixed:
    """Write the mix of the recipe at `path` to the folder `out`: rows, rejects, card, manifest; always the same bytes.

    Raises where shares do not add up to 1, and where rows are short and the recipe says to refuse.
    """
    recipe = read_recipe(path, MixRecipe)
    _require_whole(recipe, path)
    claim_folder(out, KIND)
    sources = [source for part in recipe.kinds.values() for source in part.sources]
    with opened(sources) as found:
        waiting = iter(found)
        parts = [_Part(kind, part, [next(waiting) for _ in part.sources]) for kind, part in recipe.kinds.items()]
        lots, rejects = _survey(parts, recipe.seed)
        allotted = _allotted(recipe, lots, path)
        chosen = {one.kind: set(sorted(lots[one.kind])[: one.taken]) for one in allotted}
        with new_folder(out) as folder:
            counted = _write_rows(parts, chosen, recipe.seed, folder / ROWS)
            mixed = Mixed(
                rows=sum(counted.values()),
                kinds=allotted,
                sources=dict(sorted(counted.items())),
                rejected=dict(sorted(Counter(reject.reason for reject in rejects).items())),
            )
            _describe(folder, out.name, recipe, mixed, rejects)
    return mixed


def _require_whole(recipe: MixRecipe, path: Path) -> None:
    total = sum(part.share for part in recipe.kinds.values())
    if not isclose(total, 1, abs_tol=1e-6):
        raise ZhongjingError(f"the shares add up to {total:g}, not to 1", where=path, hint="change them to add up to 1")


def _survey(parts: Sequence[_Part], seed: int) -> tuple[Lots, list[Reject]]:
    """The lot of every row that may be drawn, by kind, and what may not be, with the reason.

    A lot is a hash of seed, source and id: the smallest are drawn. The first of equal conversations counts.
    """
    lots: Lots = {}
    rejects: list[Reject] = []
    seen: set[bytes] = set()
    for part in parts:
        lots[part.kind] = set()
        for place, source in enumerate(part.sources):
            rejects += source.unread
            there: list[bytes] = []
            for dialogue, messages in track(conversations(source, part.kind, part.part.system), f"reading {part.kind}"):
                reason = messages if isinstance(messages, str) else _repeats(messages, seen)
                if reason is None:
                    there.append(_lot(seed, part.kind, place, dialogue.id))
                else:
                    rejects.append(_reject(dialogue, reason))
            lots[part.kind].update(sorted(there)[: source.source.cap])
    return lots, rejects


def _allotted(recipe: MixRecipe, lots: Lots, path: Path) -> list[Allotment]:
    shares: dict[str, float] = {kind: part.share for kind, part in recipe.kinds.items()}
    caps: dict[str, int] = {kind: part.cap for kind, part in recipe.kinds.items() if part.cap is not None}
    there: dict[str, int] = {kind: len(found) for kind, found in lots.items()}
    try:
        return allot(shares, there, caps, recipe.rows, recipe.shortfall)
    except ZhongjingError as error:
        raise ZhongjingError(error.message, where=path, hint=error.hint) from error


def _write_rows(parts: Sequence[_Part], chosen: Mapping[str, set[bytes]], seed: int, path: Path) -> Counter[str]:
    """Write the rows chosen, shuffled by seed; returns how many came from each source."""
    rows: list[tuple[bytes, bytes]] = []
    counted: Counter[str] = Counter()
    for part in parts:
        for place, source in enumerate(part.sources):
            for dialogue, messages in conversations(source, part.kind, part.part.system):
                lot = _lot(seed, part.kind, place, dialogue.id)
                if lot in chosen[part.kind] and not isinstance(messages, str):
                    rows.append((_lot(seed, "order", lot.hex()), _row(part.kind, source, dialogue, messages)))
                    counted[source.source.called] += 1
    with path.open("wb") as stream:
        stream.writelines(row + b"\n" for _, row in sorted(rows))
    return counted


def _describe(folder: Path, name: str, recipe: MixRecipe, mixed: Mixed, rejects: Sequence[Reject]) -> None:
    """Write what stands beside the rows: rejects, card and manifest."""
    write_rejects(folder / REJECTS, rejects)
    card = mix_card(name, mixed.kinds, mixed.sources, mixed.rejected, ROWS)
    (folder / CARD).write_text(card, encoding="utf-8")
    write_manifest(
        folder,
        kind=KIND,
        name=name,
        inputs=[source.entry() for part in recipe.kinds.values() for source in part.sources],
        parameters=_parameters(recipe),
        counts=msgspec.to_builtins(mixed),
    )


def _row(kind: MixKind, source: OpenSource, dialogue: Dialogue, messages: list[Message]) -> bytes:
    return dump_json(
        Row(
            messages=messages,
            kind=kind,
            source=source.source.called,
            dialogue_id=dialogue.id,
            file=dialogue.meta.file,
            line=dialogue.meta.line,
        )
    )


def _repeats(messages: list[Message], seen: set[bytes]) -> str | None:
    """`same_conversation` where these words were there before."""
    digest = hashlib.blake2b(msgspec.json.encode([turn for turn in messages if turn.role != "system"]), digest_size=16)
    if digest.digest() in seen:
        return "same_conversation"
    seen.add(digest.digest())
    return None


def _reject(dialogue: Dialogue, reason: str) -> Reject:
    return Reject(stage=STAGE, reason=reason, file=dialogue.meta.file, line=dialogue.meta.line, id=dialogue.id)


def _lot(seed: int, *parts: Any) -> bytes:
    return hashlib.blake2b(msgspec.json.encode([seed, *parts]), digest_size=16).digest()


def _parameters(recipe: MixRecipe) -> dict[str, Any]:
    """The recipe without the places of its sources, which differ from machine to machine."""
    kinds = {
        kind: {
            "share": part.share,
            "cap": part.cap,
            "system": part.system,
            "sources": [{"name": source.called, "cap": source.cap} for source in part.sources],
        }
        for kind, part in recipe.kinds.items()
    }
    return {"kinds": kinds, "rows": recipe.rows, "seed": recipe.seed, "shortfall": recipe.shortfall}
