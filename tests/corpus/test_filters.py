"""Every reason to leave a dialogue out, and none for a real consultation."""

from collections.abc import Callable
from pathlib import Path

import pytest

import foundation.cli
import zhongjing
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
    "unsafe_content": ["失眠，想解脱", "喝两瓶安眠药就能解脱。"],
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


def test_kinds_of_unsafe_content_are_options_and_named_in_the_reject(
    set_of: Callable[..., Path], tmp_path: Path
) -> None:
    source = set_of(BAD["unsafe_content"])
    filter_dialogues(source, tmp_path / "out")
    assert next(read_rejects(tmp_path / "out" / REJECTS)).detail == "self_harm_method"
    assert filter_dialogues(source, tmp_path / "all", options=FilterOptions(unsafe=[])).rejected == {}


def test_the_report_counts_and_shows_ids_but_no_text(
    set_of: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = set_of(*BAD.values(), REAL[0])
    arguments = ["corpus", "filter", str(source), "--out", str(tmp_path / "out"), "--report"]
    assert foundation.cli.run(zhongjing.app, arguments) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.startswith(f"filter: {len(BAD) + 1} in, 1 out")
    assert {line.split()[0] for line in lines} == set(BAD)
    assert all(line.split()[1:3] == ["1", f"{1 / (len(BAD) + 1):.2%}"] and "d-" in line for line in lines)
    assert not any(text in line for line in lines for turns in BAD.values() for text in turns)


def test_dates_as_surrogates_are_no_letters_of_another_script(set_of: Callable[..., Path], tmp_path: Path) -> None:
    turns = ["[日期1]发烧，[QQ1]，[日期1后14天]", "多喝水"]
    assert filter_dialogues(set_of(turns), tmp_path / "out").rejected == {}
