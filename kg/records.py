"""What the rooms above get from the graph: statements read, facts stored, mentions found, claims checked."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

EntityType = Literal[
    "disease",
    "drug",
    "symptom",
    "examination",
    "treatment",
    "department",
    "body_part",
    "group",
    "cause",
    "ingredient",
    "food",
    "pathogen",
    "advice",
    "other",
]
TYPES: tuple[EntityType, ...] = get_args(EntityType)
Match = Literal["exact", "alias", "fuzzy"]
Experiencer = Literal["patient", "family", "other"]
Temporality = Literal["now", "past"]
Verdict = Literal["supported", "contradicted", "unknown"]


class Triple(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A statement as a file makes it: the file's own relation name and direction. `line` counts from 1.

    The types are those the file gives, as it writes them; None where it gives none.
    """

    subject: str
    relation: str
    object: str
    file: str
    line: int
    subject_type: str | None = None
    object_type: str | None = None


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A triple of a built graph, in the vocabulary's direction.

    `original` is the relation as the file named it, `file` and `line` its first statement, `count` how many
    statements were merged into it.
    """

    subject: str
    relation: str
    object: str
    original: str
    file: str
    line: int
    count: int


class Mention(msgspec.Struct, frozen=True, gc=False):
    """A name of the graph in a text: ``text[start:end]``, offsets in characters of the text as given.

    `score` is 1 for exact names and aliases, the similarity in (0, 1) for fuzzy ones.
    """

    start: int
    end: int
    text: str
    entity: str
    type: EntityType
    match: Match
    score: float
    negated: bool
    uncertain: bool
    experiencer: Experiencer
    temporality: Temporality


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A statement found in a text, and what the graph says of it; ``text[start:end]`` is where it was made.

    `evidence` holds the facts behind the verdict; it is empty where the verdict is unknown.
    """

    subject: str
    relation: str
    object: str
    verdict: Verdict
    evidence: list[Fact]
    start: int
    end: int
