"""One form for every text, and not a dose changed."""

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.normalise import normalise, normalise_text
from corpus.sets import read_dialogues

UNITS = [
    "mg",
    "㎎",
    "ml",
    "μg",
    "µg",
    "IU",
    "片",
    "粒",
    "次",
    "天",
    "℃",
    "°C",
    "%",
    "％",
    "mmHg",
    "mmol/L",
    "×10⁹/L",
    "㎝",
    "kg",
    "㎏",
    "U",
    "岁",
    "支",
    "g",
]
NUMBERS = st.one_of(
    st.integers(0, 99999).map(str),
    st.decimals(0, 999, places=2).map(str),
    st.integers(0, 999).map(lambda n: "".join(chr(ord(c) + 0xFEE0) for c in str(n))),
    st.sampled_from(["1/2", "½", "①", "10²", "3-5", "3～5", "1:1000", "0.5", "2.0", "1,000"]),
)
WORDS = st.sampled_from(
    [
        "每次吃",
        "体温",
        "頭痛",
        "，",
        "。。。。",
        "！！！",
        "[图片]",
        " ",
        "\n\n",
        "血压",
        "希望我的回答对您有所帮助。",
        "　",
        "\u200b",
    ]
)
DOSES = st.tuples(NUMBERS, st.sampled_from(UNITS)).map("".join)


def numbers(text: str) -> list[str]:
    """Numbers with what follows them, in plain characters."""
    plain = unicodedata.normalize("NFKC", text).replace("〜", "~")
    return re.findall(r"\d+(?:[.,:/⁄~～-]\d+)*\s?(?:[a-zA-Zμ°%]+|[片粒次天岁支])?", re.sub(r"\s+", " ", plain))


@given(st.lists(st.one_of(WORDS, DOSES), max_size=12).map("".join))
def test_every_number_with_its_unit_survives(text: str) -> None:
    assert numbers(normalise_text(text)) == numbers(text.replace("\u200b", ""))


# Every unit in the ways it is written: the spelling and what stands for it in normal form.
SPELT = {
    **{
        unit: unit
        for unit in (
            "mg",
            "ml",
            "mL",
            "kg",
            "g",
            "L",
            "U",
            "IU",
            "mmHg",
            "mmol/L",
            "g/L",
            "mg/kg",
            "cm",
            "mm",
            "%",
            "‰",
        )
    },
    **{
        unit: unit
        for unit in (
            "片",
            "粒",
            "支",
            "丸",
            "袋",
            "滴",
            "次",
            "天",
            "岁",
            "周",
            "个月",
            "小时",
            "℃",
            "°C",
            "°",
            "度",
            "bpm",
            "kPa",
        )
    },
    "μg": "μg",
    "µg": "μg",
    "㎍": "μg",
    "ug": "ug",
    "mcg": "mcg",
    "×10⁹/L": "×109/L",
    "×10^9/L": "×10^9/L",
    "ｍｇ": "mg",
    "㎎": "mg",
    "ＭＧ": "MG",
    "ｍｌ": "ml",
    "㎖": "ml",
    "㏄": "cc",
    "㎏": "kg",
    "ｋｇ": "kg",
    "㎝": "cm",
    "㎜": "mm",
    "㎜Hg": "mmHg",
    "ｍｍＨｇ": "mmHg",
    "㎎／㎏": "mg/kg",
    "㏖/L": "mol/L",
    "％": "%",
    "ＩＵ": "IU",
    "㎡": "m2",
    "m²": "m2",
    "㎥": "m3",
    "單位": "单位",
    "顆": "颗",
    "劑": "剂",
    "歲": "岁",
    "萬單位": "万单位",
    "錢": "钱",
    "兩": "两",
    "週": "周",
    "個月": "个月",
}
WIDE = str.maketrans("0123456789./-~:", "０１２３４５６７８９．／－～：")
AMOUNTS = st.one_of(
    st.integers(0, 10**7).map(str),
    st.decimals(0, 9999, places=3).map(str),
    st.tuples(st.integers(1, 99), st.sampled_from(["-", "~", "～", "/", ":", "×", "±", "至"]), st.integers(1, 99)).map(
        lambda parts: "".join(map(str, parts))
    ),
    st.sampled_from(["½", "1½", "①", "10³", "Ⅱ", "1,000", "0.05", "一百二十", "半", "三分之一", "1/3", "2.5E+05"]),
)
DOSE = st.tuples(
    AMOUNTS, st.booleans(), st.sampled_from(["", " ", "　", "\u00a0", "\u2009"]), st.sampled_from(sorted(SPELT))
)
FILLER = st.sampled_from(
    [
        "每次吃",
        "，頭痛，",
        "。。。。。",
        "！！！！",
        "？？",
        "[图片]",
        "【语音】",
        "\n\n",
        "，希望我的回答对您有所帮助。",
        "，以上回复仅供参考，",
        "【温馨提示】本回答仅供参考，不能作为诊断依据。",
        "，微信扫一扫关注公众号，来自：好大夫在线，",
        "（仅主诊医生和患者本人可见）",
        "\u200b，\ufeff",
        "～～，",
        "，此消息来自好医生app，",
        "。本次问诊已结束。",
        "😀，",
    ]
)


def plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).replace("µ", "μ").split())


@given(st.lists(st.tuples(FILLER, DOSE), min_size=1, max_size=6), FILLER)
@settings(max_examples=300, deadline=None)
def test_every_dose_survives_in_any_spelling(parts: list[tuple[str, tuple[str, bool, str, str]]], last: str) -> None:
    doses = [
        ((amount.translate(WIDE) if wide else amount) + gap + unit, plain(amount) + SPELT[unit])
        for _, (amount, wide, gap, unit) in parts
    ]
    text = "".join(f"{filler}用{written}；" for (filler, _), (written, _) in zip(parts, doses, strict=True)) + last
    found = plain(normalise_text(text))
    place = 0
    for _, expected in doses:
        place = found.index(f"用{plain(expected)};", place) + 1
    assert re.findall(r"\d", found) == re.findall(r"\d", plain(text))


@pytest.mark.parametrize("mark", ["①", "10²", "½", "Ⅱ型糖尿病", "℃", "5㎡", "α-干扰素", "×10⁹/L", "[MASK]"])
def test_marks_that_carry_meaning_stay(mark: str) -> None:
    assert mark in normalise_text(f"结果{mark}正常")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("頭痛三天了", "头痛三天了"),
        ("每次５㎎，ＡＢＣ", "每次5mg，ABC"),
        ("怎么办？？？？", "怎么办？"),
        ("等等。。。。。", "等等……"),
        ("看这里[图片]【图片】", "看这里"),
        ("a\u200bb\ufeffc\x07", "abc"),
        ("  多   空格 \n\n 第二行 ", "多 空格\n第二行"),
        ("[图片]", ""),
        ("！！！", ""),
        ("？", "？"),
        ("（+）", "（+）"),
        ("按时吃药。希望我的回答对您有所帮助。", "按时吃药。"),
        ("按时吃药。【温馨提示】本回答仅供参考，不能作为诊断依据", "按时吃药。"),
        ("微信扫一扫 来自：好大夫在线", ""),
        ("CT扫一扫，来自农村", "CT扫一扫，来自农村"),
    ],
)
def test_forms(text: str, expected: str) -> None:
    assert normalise_text(text) == expected


@given(st.text())
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalise_text(text.encode("utf-8", "replace").decode())
    assert normalise_text(once) == once


def test_emptied_turns_go_and_their_neighbours_are_joined(set_of: Callable[..., Path], tmp_path: Path) -> None:
    source = set_of(["发烧", "[图片]", "三天了", "多少度？"], ["[图片]", "[语音]"], ["[图片]", "吃药"])
    result = normalise(source, tmp_path / "out")
    assert [[message.content for message in dialogue.messages] for dialogue in read_dialogues(tmp_path / "out")] == [
        ["发烧\n三天了", "多少度？"]
    ]
    assert result.rejected == {"empty": 1, "starts_with_doctor": 1}
    assert (result.read, result.kept) == (3, 1)
