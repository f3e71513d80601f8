"""Orders with ties, best first, as every room of the project writes them: `corpus.records.Tiers`."""

from __future__ import annotations

from corpus.records import Tiers


def level_of(tiers: Tiers) -> dict[str, int]:
    """Each id's tier, 0 the best."""
    return {output_id: level for level, tier in enumerate(tiers) for output_id in tier}
