"""How a consultation goes."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.classification.inquiry import DOCTOR_SLOTS, PATIENT_SLOTS, SLOTS, course_of
from corpus.records import Dialogue, Message, Meta

ASKED = [
    "孩子发烧怎么办",
    "您好，孩子多大了？体温多少？",
    "3岁，39度，昨天晚上开始的",
    "可以口服布洛芬混悬液，注意多喝水，如果三天不退烧及时就诊。",
]


def test_inquiry_and_what_it_brings(make_dialogue: Callable[..., Dialogue]) -> None:
    course = course_of(make_dialogue(ASKED))
    assert (course.inquiry, course.questions) == (0.5, 1)
    assert course.gained == len({"age", "duration", "degree"})
    assert course.slots == ["age", "duration", "degree", "advice", "caution", "follow_up"]
    assert course.completeness == pytest.approx(6 / 12)


def test_entities_of_the_graph_are_gained_once(make_dialogue: Callable[..., Dialogue]) -> None:
    turns = ["咳嗽", "有没有发热？", "有，还有头痛、咳嗽", "还有呢？", "头痛"]
    named = [["咳嗽"], ["发热"], ["头痛", "咳嗽"], [], ["头痛"]]
    alone, with_graph = course_of(make_dialogue(turns)), course_of(make_dialogue(turns), named)
    assert with_graph.gained == alone.gained + 1
    assert with_graph.questions == 2


def test_a_thank_you_answers_nothing(make_dialogue: Callable[..., Dialogue]) -> None:
    course = course_of(make_dialogue(["头疼", "多久了？", "好的，谢谢", "不客气"]))
    assert (course.inquiry, course.questions, course.gained) == (0.5, 0, 0)


@pytest.mark.parametrize(
    ("turns", "structure"),
    [
        (["头疼怎么办", "多休息"], "single"),
        (["头疼怎么办"], "unanswered"),
        (["头疼怎么办", "多休息", "吃什么药？"], "unanswered"),
        (["头疼怎么办", "多久了？", "三天", "多休息"], "doctor_led"),
        (["头疼怎么办", "多休息", "吃什么药？", "布洛芬"], "patient_led"),
        (["头疼怎么办", "多休息", "吃什么药？", "对什么药过敏吗？", "没有", "布洛芬"], "mixed"),
        (["头疼怎么办", "多休息", "好的谢谢"], "patient_led"),
    ],
)
def test_structures(make_dialogue: Callable[..., Dialogue], turns: list[str], structure: str) -> None:
    assert course_of(make_dialogue(turns)).structure == structure


@pytest.mark.parametrize(
    ("slot", "text", "there"),
    [
        ("age", "我今年28岁", True),
        ("age", "三个月大的宝宝", True),
        ("age", "疼了28天", False),
        ("sex", "我是女性", True),
        ("sex", "男，30岁", True),
        ("sex", "头疼", False),
        ("duration", "三天了", True),
        ("duration", "从昨晚开始", True),
        ("duration", "头疼", False),
        ("degree", "38.5度", True),
        ("degree", "血压140mmHg", True),
        ("degree", "头疼", False),
        ("site", "左腹疼", True),
        ("site", "发烧了", False),
        ("medication", "吃了布洛芬", True),
        ("medication", "发烧了", False),
        ("history", "以前做过手术", True),
        ("history", "发烧了", False),
        ("findings", "做了B超", True),
        ("findings", "CT没问题", True),
        ("findings", "发烧了", False),
    ],
)
def test_slots_of_the_patient(slot: str, text: str, there: bool) -> None:
    assert (PATIENT_SLOTS[slot].search(text) is not None) == there


turns_of = st.lists(
    st.sampled_from([*ASKED, "谢谢", "", "多久了？", "女，20岁，吃了药"]).map(str), min_size=1, max_size=9
)


@given(turns_of)
@settings(deadline=None)
def test_bounds(turns: list[str]) -> None:
    roles = ("user", "assistant")
    messages = [Message(roles[place % 2], text) for place, text in enumerate(turns)]
    dialogue = Dialogue(id="d", messages=messages, source="s", meta=Meta(file="f", line=1, format="jsonl"))
    course = course_of(dialogue)
    assert 0 <= course.inquiry <= 1
    assert 0 <= course.completeness <= 1
    assert course.completeness == pytest.approx(len(course.slots) / len(SLOTS), abs=1e-4)
    assert course.gained <= len(PATIENT_SLOTS)
    assert set(course.slots) <= set(PATIENT_SLOTS) | set(DOCTOR_SLOTS)
    assert course.questions <= sum(message.role == "assistant" for message in messages)
