"""Which of the readings of a sentence stand: what the graph knows nothing of gives way to what overrules it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from kg.records import Claim
from kg.relations import CONTRAINDICATION, DEPARTMENT, EXAMINATION, INDICATION, SUITABLE

_OF_ILLNESSES = frozenset({INDICATION, EXAMINATION, DEPARTMENT})
_ALWAYS_AROUND = frozenset({"儿童", "老年人"})
"""Groups that a text often speaks of as the patient, and not as a reason to take or leave a drug."""


class Drawn(msgspec.Struct, frozen=True):
    """A claim as it was drawn: the name that completed the words, if any did, and the end that is but a symptom."""

    claim: Claim
    topic: str | None
    symptom: str | None


def settled(drawn: Sequence[Drawn]) -> list[Claim]:
    """The claims of one sentence that stand beside each other."""
    said = {_triple(one.claim) for one in drawn if one.topic is None}
    banned = {_pair(one.claim) for one in drawn if one.claim.relation == CONTRAINDICATION}
    judged = {_triple(one.claim) for one in drawn if one.claim.evidence}
    known = {end for one in drawn if one.claim.evidence for end in _pair(one.claim)}
    of_illnesses = {
        (one.claim.relation, end)
        for one in drawn
        if one.symptom is None and one.claim.relation in _OF_ILLNESSES and one.claim.verdict != "contradicted"
        for end in _pair(one.claim)
    }

    def stands(one: Drawn) -> bool:
        claim = one.claim
        if one.topic is not None and _triple(claim) in said:
            return False
        if claim.evidence or claim.verdict != "unknown":
            return True
        if _triple(claim) in judged:
            return False
        if claim.relation in (INDICATION, SUITABLE) and _pair(claim) in banned:
            return False
        if one.symptom and (claim.relation, _other(claim, one.symptom)) in of_illnesses:
            return False
        if one.topic is None:
            return True
        return _other(claim, one.topic) not in known and not (
            claim.relation == SUITABLE and one.topic in _ALWAYS_AROUND
        )

    return [one.claim for one in drawn if stands(one)]


def _triple(claim: Claim) -> tuple[str, str, str]:
    return claim.subject, claim.relation, claim.object


def _pair(claim: Claim) -> tuple[str, str]:
    return claim.subject, claim.object


def _other(claim: Claim, end: str) -> str:
    return claim.object if claim.subject == end else claim.subject
