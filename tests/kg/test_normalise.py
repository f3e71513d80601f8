"""One spelling, and offsets that lead back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.normalise import normalise

TEXTS = st.text(
    st.one_of(st.characters(), st.sampled_from("Ⅱ㎎ﬁⅣIVi型期二三高血壓发热，。①\u200b\ufe0f\ud800İß½")), max_size=60
)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("ＣＴ檢查", "ct检查"),
        ("Ⅱ型 II型 ii型 二型 2型", "2型 2型 2型 2型 2型"),
        ("第二期，十二期，Ⅲ期", "第2期,十二期,3期"),
        ("５㎎／㎏", "5mg/kg"),
        ("高\u200b血\ufe0f压", "高血压"),
        ("α－干扰素", "α-干扰素"),
        ("维生素Ｂ１２", "维生素b12"),
        ("civil型", "civil型"),
    ],
)
def test_spellings(text: str, plain: str) -> None:
    assert normalise(text).text == plain


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_offsets_lead_back_into_the_text(text: str) -> None:
    plain = normalise(text)
    plain.text.encode()
    assert plain.origin is None or len(plain.origin) == len(plain.text)
    assert plain.origin is not None or len(plain.text) == len(text)
    last = 0
    for place in range(len(plain.text)):
        start, end = plain.span(place, place + 1)
        assert last <= start < end <= len(text)
        last = start


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_each_character_comes_from_its_own(text: str) -> None:
    plain = normalise(text)
    for place, character in enumerate(plain.text):
        start, _ = plain.span(place, place + 1)
        if text[start].isascii() and text[start] == character:
            assert plain.text[place] == text[start]
        elif "a" <= text[start] <= "z" and text[start] not in "iv":
            assert character == text[start]


def test_normalising_twice_changes_nothing() -> None:
    text = "ＣＴ檢查Ⅱ型糖尿病５㎎，二型"
    once = normalise(text).text
    assert normalise(once).text == once


def test_the_code_point_that_stands_for_an_uneven_character_may_stand_in_a_text() -> None:
    plain = normalise("a\uffff㎎\uffff")
    assert plain.text == "a\uffffmg\uffff"
    assert [plain.span(place, place + 1)[0] for place in range(5)] == [0, 1, 2, 2, 3]
