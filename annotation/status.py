"""A campaign's progress and agreement as lines of text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from annotation.tables.models import Campaign

if TYPE_CHECKING:
    from annotation.agreement.agreement import AgreementSummary, ExpertAgreement

HEAD = f"{'ranked':>8} {'assigned':>8} {'agree':>6} {'tau-b':>6} {'stated':>6} {'sec':>5}  expert"


def status_lines(session: Session, campaign: Campaign) -> list[str]:
    """Progress per expert, simulated ones marked, then the agreement of all."""
    from annotation.agreement.agreement import agreement

    summary = agreement(session, campaign)
    mark = " (SIMULATED experts among them)" if summary.simulated else ""
    return [
        f"{campaign.name}: {summary.tasks} prompts, {summary.judged_tasks} ranked, {summary.judgements} rankings{mark}",
        HEAD,
        *map(_expert_line, summary.experts),
        _agreement_line(summary),
        *_apart(summary),
        *_left_out(campaign),
    ]


def figure(value: float | None, digits: int = 2) -> str:
    """A number, or a dash where the data cannot tell."""
    return "–" if value is None else f"{value:.{digits}f}"


def _expert_line(row: ExpertAgreement) -> str:
    numbers = f"{figure(row.agreement):>6} {figure(row.tau_b):>6} {figure(row.stated_reliability):>6}"
    mark = "  [SIMULATED]" if row.simulated else ""
    return f"{row.ranked:>8} {row.assigned:>8} {numbers} {figure(row.median_seconds, 0):>5}  {row.expert}{mark}"


def _agreement_line(summary: AgreementSummary) -> str:
    if summary.gap:
        return f"agreement: {summary.gap.sentence()}"
    low, high = summary.alpha_interval or (None, None)
    return (
        f"alpha {figure(summary.alpha)} (95 % {figure(low)} to {figure(high)}) · W {figure(summary.kendall_w)} · "
        f"tau-b {figure(summary.tau_b)} · pairs ordered alike {figure(summary.pair_agreement)} · "
        f"{len(summary.needs_adjudication)} prompts need a senior expert"
    )


def _apart(summary: AgreementSummary) -> list[str]:
    """What is in no figure, and who left."""
    lines = [
        f"by the rule {version}, not measured with the others: {count}"
        for version, count in summary.other_rules.items()
    ]
    if summary.foreign:
        lines.append(f"rankings of other answers than the task has now, not measured: {summary.foreign}")
    return lines + [f"{row.expert} left; {row.waiting} tasks are nobody's now" for row in summary.experts if row.left]


def _left_out(campaign: Campaign) -> list[str]:
    reasons = Counter(reason for _, reason in campaign.left_out)
    return [f"left out: {count} x {reason}" for reason, count in sorted(reasons.items())]
