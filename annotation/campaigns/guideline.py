"""The written rule that experts rank by: versioned data, kept with the campaign's database so that no ranking is ever
read by another wording than its own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation.errors import ConflictError, InvalidError
from annotation.tables.decisions import GuidelineText
from annotation.tables.models import Campaign
from corpus.records import Dimension
from foundation.files import existing_file


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one dimension asks: a title, one line, and the points in full."""

    dimension: Dimension
    title: str
    brief: str
    points: list[str]


class Wording(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rule in one language: the one sentence to keep in mind, the dimensions by priority, general remarks."""

    first: str
    parts: list[Part]
    remarks: list[str] = []


class Guideline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version of the rule in both languages of the page."""

    version: str
    zh: Wording
    en: Wording

    def wording(self, language: str) -> Wording:
        """The rule in a language of the page."""
        return self.en if language == "en" else self.zh

    @property
    def priority(self) -> list[Dimension]:
        """The dimensions, the first before all others: the order in which the rule names them."""
        return [part.dimension for part in self.zh.parts]


def default_guideline() -> Guideline:
    """The rule of Zhongjing (Yang et al. 2024): safety before professionalism before fluency."""
    return _decode(files("annotation").joinpath("data/guideline.json").read_bytes(), "annotation/data/guideline.json")


def read_guideline(path: Path) -> Guideline:
    """A rule of one's own, in the form of `annotation/data/guideline.json`."""
    return _decode(existing_file(path).read_bytes(), str(path))


def store_guideline(session: Session, guideline: Guideline) -> None:
    """Keep the rule; a version that is there already must have the same words."""
    content = msgspec.to_builtins(guideline)
    stored = session.scalar(select(GuidelineText.content).where(GuidelineText.version == guideline.version))
    if stored is None:
        session.add(GuidelineText(version=guideline.version, content=content))
    elif stored != content:
        raise ConflictError(
            "guideline_version",
            f"the rule {guideline.version} has other words already",
            hint="give the changed rule a version of its own",
        )


def guideline_of(session: Session, version: str) -> Guideline:
    """The rule as it was stored; the project's own for campaigns older than stored rules."""
    stored = session.scalar(select(GuidelineText.content).where(GuidelineText.version == version))
    return msgspec.convert(stored, Guideline) if stored else default_guideline()


def priority_of(session: Session, campaign: Campaign) -> list[Dimension]:
    """By which of a campaign's dimensions a pair of answers is decided, the first before the second and so on; what all
    of them leave open, the overall order decides."""
    ruled = guideline_of(session, campaign.guideline_version).priority
    return [dimension for dimension in ruled if dimension in campaign.dimensions and dimension != "overall"] + [
        "overall"
    ]


def _decode(text: bytes, where: str) -> Guideline:
    try:
        guideline = msgspec.json.decode(text, type=Guideline)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidError("guideline", f"{where}: this is not a rule: {error}") from error
    if not 1 <= len(guideline.version) <= 50:
        raise InvalidError("guideline", f"{where}: a version has 1 to 50 characters")
    if guideline.priority != [part.dimension for part in guideline.en.parts]:
        raise InvalidError("guideline", f"{where}: both languages name the same dimensions in the same order")
    if len(set(guideline.priority)) < len(guideline.priority):
        raise InvalidError("guideline", f"{where}: a dimension has one part")
    return guideline
