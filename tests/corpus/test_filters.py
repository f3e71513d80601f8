"""Every reason to leave a dialogue out, and none for a real consultation."""

from collections.abc import Callable
from pathlib import Path

import pytest

from corpus.filters import FilterOptions, filter_dialogues
from corpus.sets import REJECTS, read_dialogues
from foundation.rejects import read_rejects

REAL = [
    ["乙肝怎样治?", "规律抗病毒治疗，定期复查肝功能。"],
    ["孩子咳嗽，吃了[MASK]没好", "多久了？有痰吗", "三天", "[MASK]，[MASK]"],
    ["HBsAg(+) HBeAb(+)，HBV-DNA 3.5E+05 IU/ml，ALT 120 U/L，什么意思", "这是小三阳，转氨酶高。"],
    ["微信上卖的那个减肥药能吃吗", "不建议，成分不明。"],
    ["您好，我是[患者1]，电话[电话1]，痔疮出血", "用马应龙痔疮膏，一天两次。"],
    ["谢谢", "不客气", "对了，头还是晕怎么办", "量一下血压。"],
]
BAD = {
    "too_short": ["疼", "好"],
    "no_doctor_turn": ["孩子发烧怎么办"],
    "advertisement": ["祛斑哪家好", "限时特惠，买二送一，扫码领取优惠券，全国包邮，代理加盟请私信"],
    "not_chinese": ["My head hurts since yesterday", "Take a painkiller and rest, please."],
    "garbled": ["锟斤拷锟斤拷锟斤拷锟斤拷", "烫烫烫烫烫烫屯屯屯屯"],
    "goodbye_only": ["好的，谢谢医生", "不客气，祝您早日康复！"],
    "nothing_medical": ["这件衣服多少钱可以买", "一百块，不讲价，明天给你带过来"],
}


@pytest.mark.parametrize("turns", REAL, ids=range(len(REAL)))
def test_real_consultations_stay(set_of: Callable[..., Path], tmp_path: Path, turns: list[str]) -> None:
    assert filter_dialogues(set_of(turns), tmp_path / "out").rejected == {}


@pytest.mark.parametrize(("reason", "turns"), BAD.items(), ids=list(BAD))
def test_reasons(set_of: Callable[..., Path], tmp_path: Path, reason: str, turns: list[str]) -> None:
    result = filter_dialogues(set_of(turns, REAL[0]), tmp_path / "out")
    assert result.rejected == {reason: 1}
    assert (result.read, result.kept) == (2, 1)
    reject = next(read_rejects(tmp_path / "out" / REJECTS))
    assert (reject.stage, reject.reason, reject.line) == ("filter", reason, 1)
    assert len(list(read_dialogues(tmp_path / "out"))) == 1


def test_thresholds_are_options(set_of: Callable[..., Path], tmp_path: Path) -> None:
    options = FilterOptions(min_chars=1000)
    assert filter_dialogues(set_of(REAL[0]), tmp_path / "out", options=options).rejected == {"too_short": 1}
