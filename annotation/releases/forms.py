"""The forms a release takes: the same preferences as each trainer reads them. `docs/exports.md` has a row of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, islice
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from annotation.consensus.ranked_pairs import Votes, count_votes
from corpus.records import Judgement, Message, Preference, RankedPrompt, Split, Tiers, make_id
from foundation.jsonl import write_records
from foundation.progress import track

RANKINGS, PREFERENCES, IMPLICIT, UNPAIRED = "rankings.jsonl", "preferences.jsonl", "implicit.jsonl", "unpaired.jsonl"
OPENRLHF: dict[Split, str] = {"train": "openrlhf-train.jsonl", "test": "openrlhf-test.jsonl"}
BATCH = 5_000
RANKINGS_TABLE, PREFERENCES_TABLE = "rankings.parquet", "preferences.parquet"

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
TIERS = pa.list_(pa.list_(pa.string()))
PAIRED = [
    ("prompt", MESSAGES),
    ("chosen", MESSAGES),
    ("rejected", MESSAGES),
    ("margin", pa.float64()),
    ("weight", pa.float64()),
    ("prompt_id", pa.string()),
    ("pair_id", pa.string()),
    ("split", pa.string()),
    ("opinions", pa.int64()),
]
MARGINS = pa.list_(
    pa.struct([("better", pa.string()), ("worse", pa.string()), ("margin", pa.float64()), ("dimension", pa.string())])
)
RANKED = [
    ("prompt_id", pa.string()),
    ("prompt", MESSAGES),
    ("responses", pa.list_(pa.struct([("output_id", pa.string()), ("text", pa.string()), ("model", pa.string())]))),
    (
        "judgements",
        pa.list_(
            pa.struct(
                [
                    ("expert", pa.string()),
                    ("dimension", pa.string()),
                    ("tiers", TIERS),
                    ("seconds", pa.float64()),
                    ("guideline_version", pa.string()),
                    ("simulated", pa.bool_()),
                    ("origin", pa.string()),
                    ("none_acceptable", pa.bool_()),
                ]
            )
        ),
    ),
    ("tiers", TIERS),
    ("method", pa.string()),
    ("margins", MARGINS),
    ("adjudicated", pa.bool_()),
    ("split", pa.string()),
    ("dialogue_id", pa.string()),
    ("dataset_version", pa.string()),
    ("department", pa.string()),
    ("none_acceptable", pa.bool_()),
]


class Implicit(msgspec.Struct, kw_only=True):
    """A line of `implicit.jsonl`: TRL's form without a prompt, both conversations whole."""

    chosen: list[Message]
    rejected: list[Message]
    margin: float
    weight: float
    prompt_id: str
    pair_id: str
    split: Split


class Unpaired(msgspec.Struct, kw_only=True):
    """A line of `unpaired.jsonl`: an answer preferred wherever it was compared, and good enough (`label`)."""

    prompt: list[Message]
    completion: list[Message]
    label: bool
    prompt_id: str
    output_id: str
    split: Split


class OpenRlhf(msgspec.Struct, kw_only=True):
    """A line of `openrlhf-*.jsonl`: what its reward and DPO trainers read with a prompt key and a chat template."""

    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    margin: float


def write_forms(folder: Path, rankings: Sequence[RankedPrompt], preferences: Sequence[Preference]) -> None:
    """Write every form of the same preferences into `folder`."""
    write_records(folder / RANKINGS, track(rankings, RANKINGS))
    write_records(folder / PREFERENCES, track(preferences, PREFERENCES))
    write_records(folder / IMPLICIT, map(_implicit, track(preferences, IMPLICIT)))
    write_records(folder / UNPAIRED, (row for ranked in track(rankings, UNPAIRED) for row in unpaired_of(ranked)))
    for split, name in OPENRLHF.items():
        write_records(folder / name, (_openrlhf(pair) for pair in preferences if pair.split == split))
    write_table(folder / RANKINGS_TABLE, RANKED, map(_flat, track(rankings, RANKINGS_TABLE)))
    plain = map(msgspec.to_builtins, track(preferences, PREFERENCES_TABLE))
    write_table(folder / PREFERENCES_TABLE, PAIRED, plain)


def write_table(path: Path, columns: Sequence[tuple[str, Any]], rows: Iterable[dict[str, Any]]) -> None:
    """Write rows as Parquet, `BATCH` in memory at a time."""
    schema, left = pa.schema(columns), iter(rows)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := list(islice(left, BATCH)):
            writer.write_table(pa.Table.from_pylist(batch, schema))


def pairs_of(row: RankedPrompt) -> Iterator[Preference]:
    """The preferences of a prompt: pairs that the consensus orders and a strict majority of the votes stands behind
    (or a senior expert decided).

    `margin` is (wins - losses) / judgements in the dimension that decides the pair; `weight` the share of the experts
    with an opinion on it, a deciding senior included, who share this one.
    """
    text = {response.output_id: response.text for response in row.responses}
    ballots = {pair: _tiers(row.judgements, dimension) for pair, dimension in row.consensus.deciding.items()}
    overall = _tiers(row.judgements, "overall")
    for chosen, rejected in ordered_pairs(row):
        pair = f"{chosen}>{rejected}"
        judgements = ballots.get(pair, overall)
        yield Preference(
            prompt=row.prompt,
            chosen=[Message("assistant", text[chosen])],
            rejected=[Message("assistant", text[rejected])],
            margin=row.consensus.margins[pair],
            weight=_weight(count_votes(judgements), chosen, rejected, senior=row.adjudicated),
            prompt_id=row.prompt_id,
            pair_id=make_id("pair", row.prompt_id, chosen, rejected),
            split=row.split,
            opinions=len(judgements) + row.adjudicated,
        )


def ordered_pairs(row: RankedPrompt) -> Iterator[tuple[str, str]]:
    """Pairs (better, worse) of the consensus tiers that have a margin."""
    for upper, lower in combinations(row.consensus.tiers, 2):
        for better in upper:
            for worse in lower:
                if f"{better}>{worse}" in row.consensus.margins:
                    yield better, worse


def unpaired_of(row: RankedPrompt) -> Iterator[Unpaired]:
    """The answers of a prompt that every exported pair with them prefers, or none; what is preferred to one and not to
    another has no label. Where no answer is acceptable, none is labelled true."""
    pairs = list(ordered_pairs(row))
    better, worse = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
    for response in row.responses:
        if (response.output_id in better) != (response.output_id in worse):
            yield Unpaired(
                prompt=row.prompt,
                completion=[Message("assistant", response.text)],
                label=response.output_id in better and not row.none_acceptable,
                prompt_id=row.prompt_id,
                output_id=response.output_id,
                split=row.split,
            )


def _tiers(judgements: Iterable[Judgement], dimension: str) -> list[Tiers]:
    return [judgement.tiers for judgement in judgements if judgement.dimension == dimension]


def _weight(votes: Votes, chosen: str, rejected: str, *, senior: bool) -> float:
    wins, losses = votes[chosen, rejected] + senior, votes[rejected, chosen]
    return wins / (wins + losses)


def _implicit(pair: Preference) -> Implicit:
    return Implicit(
        chosen=pair.prompt + pair.chosen,
        rejected=pair.prompt + pair.rejected,
        margin=pair.margin,
        weight=pair.weight,
        prompt_id=pair.prompt_id,
        pair_id=pair.pair_id,
        split=pair.split,
    )


def _openrlhf(pair: Preference) -> OpenRlhf:
    return OpenRlhf(prompt=pair.prompt, chosen=pair.chosen, rejected=pair.rejected, margin=pair.margin)


def _flat(row: RankedPrompt) -> dict[str, Any]:
    """A row of `rankings.parquet`: the consensus in columns, its margins as a list."""
    consensus = row.consensus
    margins = [
        {
            "better": a,
            "worse": b,
            "margin": consensus.margins[f"{a}>{b}"],
            "dimension": consensus.deciding.get(f"{a}>{b}"),
        }
        for a, b in ordered_pairs(row)
    ]
    plain: dict[str, Any] = msgspec.to_builtins(row)
    plain["judgements"] = [{"simulated": False, **judgement} for judgement in plain["judgements"]]
    return {**plain, "tiers": consensus.tiers, "method": consensus.method, "margins": margins}
