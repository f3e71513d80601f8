"""The records that pass between rooms, in JSON lines and Parquet alike. This is the contract."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

Role = Literal["system", "user", "assistant"]
Split = Literal["train", "test"]
Dimension = Literal["overall", "safety", "professionalism", "fluency"]
Tiers = list[list[str]]
Structure = Literal["single", "patient_led", "doctor_led", "mixed", "unanswered"]

DEPARTMENTS = (
    "内科",
    "外科",
    "妇产科",
    "儿科",
    "五官科",
    "皮肤性病科",
    "肿瘤科",
    "传染病科",
    "心理科",
    "中医科",
    "男科",
    "整形美容",
    "家居健康",
    "其他",
)


class _Record(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Fields by name; a field at its default is left out of JSON."""


class Message(msgspec.Struct):
    """One turn. `user` is the patient, `assistant` the doctor."""

    role: Role
    content: str


class Meta(_Record):
    """Where a dialogue came from: raw file as named by the user, line or row from 1, and what the file called it.

    `format` names the reader; `labels` are the file's own labels (a disease, drugs), kept as they stood.
    """

    file: str
    line: int
    format: str
    raw_id: str | None = None
    labels: list[str] = []


class KgReport(_Record):
    """What the graph knows of a dialogue.

    `entities` are canonical names in order of first mention; `coverage` is the share of turns that mention
    one among those that do more than greet and thank; the counts are verdicts on the doctor's statements;
    `contradictions` say which, as subject, relation, object.
    """

    entities: list[str]
    coverage: float
    supported: int = 0
    contradicted: int = 0
    unknown: int = 0
    contradictions: list[list[str]] = []


class Profile(_Record):
    """What a dialogue is about and how it goes; `corpus.classification.classify` fills it in.

    `department` is what the classifier takes it for, also where the file `stated` one; the confidences are in (0, 1].
    `inquiry` is the share of doctor turns that ask; `questions` of them were answered, and `gained` counts the new
    entities and slots in those answers. `slots` are what a record of a consultation should hold and is there,
    `completeness` their share of all. Meanings: `corpus.classification.inquiry`.
    """

    department: str
    department_confidence: float
    scenario: str
    scenario_confidence: float
    stated: bool
    inquiry: float
    questions: int
    gained: int
    completeness: float
    slots: list[str]
    structure: Structure


class Rewriting(_Record):
    """Which messages (from 0) `corpus rewrite` brought to its style, and which were `kept` as they were because no
    rewrite was faithful to them."""

    rewritten: list[int] = []
    kept: list[int] = []


class Dialogue(_Record):
    """A consultation: turns alternate, the first non-system turn is the patient's."""

    id: str
    messages: list[Message]
    source: str
    meta: Meta
    department: str | None = None
    scenario: str | None = None
    kg: KgReport | None = None
    profile: Profile | None = None
    rewriting: Rewriting | None = None


class Prompt(_Record):
    """A dialogue cut after a user turn that asks something. `facts` are graph triples worth showing beside it, and
    `fact_sources` say where each of them was stated.

    `reference` is the doctor's real reply to that turn, where there was one.
    """

    prompt_id: str
    messages: list[Message]
    dialogue_id: str
    dataset_version: str
    department: str | None = None
    facts: list[str] = []
    fact_sources: list[str] = []
    reference: str | None = None


class Decoding(_Record):
    """How an answer was drawn. `seed` is the seed of the whole run; greedy when `temperature` is 0."""

    temperature: float
    max_new_tokens: int
    seed: int
    top_p: float = 1.0


class ModelOutput(_Record):
    """One answer to a prompt. `decoding` is None where the answer was loaded, not drawn."""

    prompt_id: str
    output_id: str
    text: str
    model: str
    decoding: Decoding | None = None


class Response(_Record):
    """An answer as it stands in an export."""

    output_id: str
    text: str
    model: str


class Judgement(_Record):
    """One expert's ranking of one prompt in one dimension.

    `tiers` is best first; outputs in one tier are tied. `seconds` is time on task. `origin` says where it was made if
    not on the ranking page. `none_acceptable`: in her eyes even the best will not do.
    """

    expert: str
    dimension: Dimension
    tiers: Tiers
    seconds: float
    guideline_version: str
    simulated: bool = False
    origin: str | None = None
    none_acceptable: bool = False


class Consensus(_Record):
    """The order the judgements add up to. `margins` maps ``better>worse`` to (wins - losses) / judgements.

    Where several dimensions were asked for, `dimensions` holds the consensus of each, and `deciding` says by which of
    them a pair's margin is: the first, by priority, whose votes do not tie. `chances`, of a method that gives them, are
    the probabilities that the first of an ordered pair is better.
    """

    tiers: Tiers
    method: str
    margins: dict[str, float]
    deciding: dict[str, Dimension] = {}
    chances: dict[str, float] = {}
    dimensions: dict[Dimension, Consensus] = {}


class RankedPrompt(_Record):
    """A line of `rankings.jsonl`. `none_acceptable`: no answer will do, say the senior or most experts."""

    prompt_id: str
    prompt: list[Message]
    responses: list[Response]
    judgements: list[Judgement]
    consensus: Consensus
    adjudicated: bool
    split: Split
    dialogue_id: str
    dataset_version: str
    department: str | None = None
    none_acceptable: bool = False


class Preference(_Record):
    """A line of `preferences.jsonl`: TRL's explicit-prompt form. `margin` and `weight` are in (0, 1]; `opinions` is
    the number of judgements behind the pair: a margin of one opinion is 1 whatever it is worth."""

    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    margin: float
    weight: float
    prompt_id: str
    pair_id: str
    split: Split
    opinions: int = 0


def make_id(prefix: str, *parts: Any) -> str:
    """A short stable id: `prefix`, a hyphen and 16 hex digits of a hash over `parts`."""
    digest = hashlib.blake2b(msgspec.json.encode(parts), digest_size=8)
    return f"{prefix}-{digest.hexdigest()}"
