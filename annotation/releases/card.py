"""The dataset card of a release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import msgspec

from annotation.agreement.gaps import Gap, gap_in
from annotation.agreement.measures import Alpha, kendall_w, known_mean, krippendorff_alpha, panel_of
from annotation.judgements import JudgedTask
from annotation.releases.release import Contents, Release
from annotation.tables.models import Campaign
from corpus.records import Dimension, RankedPrompt

CARD = "README.md"


class ExpertLine(msgspec.Struct, frozen=True, kw_only=True):
    """An expert of a release, by pseudonym."""

    expert: str
    simulated: bool
    rankings: int


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """How far the experts of a release agree in one dimension; `gap` says why nothing can be told."""

    dimension: Dimension
    gap: Gap | None
    alpha: Alpha | None
    kendall_w: float | None


def write_card(folder: Path, campaign: Campaign, contents: Contents, release: Release) -> None:
    """Write `README.md`, which says what a release holds, how it came about, and what is not known."""
    from jinja2 import Environment, StrictUndefined

    source = files("annotation").joinpath("templates/card.md").read_text(encoding="utf-8")
    environment = Environment(trim_blocks=True, undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701
    environment.filters["figure"] = lambda value: "–" if value is None else f"{value:.3f}"
    text = environment.from_string(source).render(
        campaign=campaign,
        release=release,
        agreed=[agreed(contents.tasks, dimension) for dimension in contents.priority],
        experts=_experts(contents.rankings),
        guideline_version=contents.chosen.guideline_version,
        left_out=sorted(Counter(row.reason for row in contents.chosen.left_out).items()),
        datasets=sorted({row.dataset_version for row in contents.rankings}),
        seed=contents.sides.seed,
        method=contents.method,
        priority=contents.priority,
    )
    (folder / CARD).write_text(text, encoding="utf-8")


def agreed(tasks: Sequence[JudgedTask], dimension: Dimension) -> Agreed:
    """Measured on the very judgements of a release."""
    _, levels = panel_of([{j.expert: j.tiers for j in task.judgements if j.dimension == dimension} for task in tasks])
    if gap := gap_in(levels):
        return Agreed(dimension=dimension, gap=gap, alpha=None, kendall_w=None)
    return Agreed(
        dimension=dimension, gap=None, alpha=krippendorff_alpha(levels), kendall_w=known_mean(kendall_w(levels))
    )


def _experts(rankings: Sequence[RankedPrompt]) -> list[ExpertLine]:
    counted = Counter((j.expert, j.simulated) for row in rankings for j in row.judgements if j.dimension == "overall")
    return [
        ExpertLine(expert=expert, simulated=simulated, rankings=count)
        for (expert, simulated), count in sorted(counted.items())
    ]
