"""The dataset card of a release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from annotation.agreement import AgreementSummary
from annotation.eligible import Eligible
from annotation.models import Campaign
from corpus.records import Dimension, RankedPrompt

if TYPE_CHECKING:
    from annotation.exports import Release

CARD = "README.md"


class ExpertLine(msgspec.Struct, frozen=True, kw_only=True):
    """An expert of a release, by pseudonym."""

    expert: str
    simulated: bool
    judgements: int


def write_card(
    folder: Path,
    campaign: Campaign,
    release: Release,
    agreement: AgreementSummary,
    chosen: Eligible,
    rankings: Sequence[RankedPrompt],
    *,
    seed: int,
    method: str,
    priority: Sequence[Dimension],
) -> None:
    """Write `README.md`, which says what a release holds, how it came about, and what is not known."""
    from jinja2 import Environment, StrictUndefined

    source = files("annotation").joinpath("templates/card.md").read_text(encoding="utf-8")
    environment = Environment(trim_blocks=True, undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701
    environment.filters["figure"] = lambda value: "–" if value is None else f"{value:.3f}"
    text = environment.from_string(source).render(
        campaign=campaign,
        release=release,
        agreement=agreement,
        experts=_experts(rankings),
        guideline_version=chosen.guideline_version,
        left_out=sorted(Counter(row.reason for row in chosen.left_out).items()),
        datasets=sorted({row.dataset_version for row in rankings}),
        seed=seed,
        method=method,
        priority=priority,
    )
    (folder / CARD).write_text(text, encoding="utf-8")


def _experts(rankings: Sequence[RankedPrompt]) -> list[ExpertLine]:
    counted = Counter((j.expert, j.simulated) for row in rankings for j in row.judgements if j.dimension == "overall")
    return [
        ExpertLine(expert=expert, simulated=simulated, judgements=count)
        for (expert, simulated), count in sorted(counted.items())
    ]
