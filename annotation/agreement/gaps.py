"""Why there is no number. A figure that the rankings cannot give is never shown as one: it is a sentence."""

from __future__ import annotations

import msgspec
import numpy as np

from annotation.agreement.measures import Levels, ranked, signs

SENTENCES: dict[str, tuple[str, str]] = {
    "no_rankings": ("数据不足：还没有排序。", "Not enough: nothing is ranked yet."),
    "one_expert": ("数据不足：只有一位专家排过序。", "Not enough: only one expert has ranked."),
    "no_overlap": ("数据不足：没有两位专家排过同一题。", "Not enough: no two experts ranked the same prompt."),
    "all_tied": ("数据不足：所有排序都是全部并列。", "Not enough: every ranking ties everything."),
    "no_gold": ("数据不足：没有排过金标准题。", "Not enough: no gold prompt was ranked."),
    "no_repeats": ("数据不足：没有重复题被排过两次。", "Not enough: no prompt was ranked twice."),
    "few_prompts": (
        "数据不足：可用题目 {have} 题，至少需要 {need} 题。",
        "Not enough: {have} prompts can be used, {need} are needed.",
    ),
    "few_rankings": (
        "数据不足：可用排序 {have} 次，至少需要 {need} 次。",
        "Not enough: {have} rankings can be used, {need} are needed.",
    ),
    "no_times": ("数据不足：没有用时记录。", "Not enough: no time was measured."),
}


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """What is missing, by a key of `SENTENCES`; there are `have` of the `need` that it takes."""

    reason: str
    have: int = 0
    need: int = 0

    def sentence(self, language: str = "en") -> str:
        """In words, `zh` or `en`."""
        chinese, english = SENTENCES[self.reason]
        return (chinese if language == "zh" else english).format(have=self.have, need=self.need)


def gap_in(levels: Levels) -> Gap | None:
    """Why a panel says nothing about agreement; None where it does."""
    present = ranked(levels)
    if not present.any():
        return Gap(reason="no_rankings")
    if present.any(axis=1).sum() == 1:
        return Gap(reason="one_expert")
    shared = present.sum(axis=0) >= 2
    if not shared.any():
        return Gap(reason="no_overlap")
    if not np.any(signs(levels[:, shared])):
        return Gap(reason="all_tied")
    return None
