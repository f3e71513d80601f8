"""Which answers are shown once, and which give their model away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.campaigns.alike import LIGHT, THRESHOLD, alike, merge, normal
from annotation.campaigns.selfnaming import names_model

BASE = (
    "建议您多休息，多喝水，体温超过38.5度时口服布洛芬，每次0.3克，每日不超过四次，"
    "如果三天后仍发热，请及时到医院检查血常规和胸片。"
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("您", ""),
        ("，", ","),
        ("。", "！"),
        ("您多", "你多"),
        ("建议", " 建议\n"),
        ("38.5", "３８．５"),
        ("医院", "正规医院"),
        ("血常规", "**血常规**"),
    ],
)
def test_what_says_the_same_is_alike(old, new):
    assert alike(normal(BASE), normal(BASE.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("38.5", "39.5"),
        ("0.3", "03"),
        ("0.3克", "0.3毫克"),
        ("不超过", "超过"),
        ("四次", "两次"),
        ("布洛芬", "萘普生"),
        ("胸片", "肝功"),
        ("每日", "每周"),
        ("及时", "不必及时"),
        ("休息", "休息吗"),
    ],
)
def test_one_word_that_matters_makes_another_answer(old, new):
    changed = BASE.replace(old, new)
    assert changed != BASE
    assert not alike(normal(BASE), normal(changed))


def test_a_question_is_no_statement():
    assert normal("需要手术？") != normal("需要手术。")


@given(st.text("的了您请休息喝水检查0123不", max_size=60), st.data())
def test_alike_is_mutual_and_light_words_never_part(text, data):
    assert alike(normal(text), normal(text))
    other = data.draw(st.text("的了您请休息喝水检查0123不", max_size=60))
    assert alike(normal(text), normal(other)) == alike(normal(other), normal(text))
    long = normal(BASE + text)
    place = data.draw(st.integers(0, len(long)))
    assert alike(long, long[:place] + data.draw(st.sampled_from(sorted(LIGHT))) + long[place:])


@given(st.lists(st.sampled_from([BASE, BASE.replace("您", ""), "多喝水", "多 喝水。", "少喝水"]), max_size=9))
def test_every_answer_is_in_one_group_with_its_like(texts):
    groups = merge(texts)
    assert sorted(place for group in groups for place in group) == list(range(len(texts)))
    assert all(alike(normal(texts[group[0]]), normal(texts[place])) for group in groups for place in group)
    heads = [normal(texts[group[0]]) for group in groups]
    assert not any(alike(one, other) for at, one in enumerate(heads) for other in heads[:at])


def test_the_threshold_is_met_by_long_answers_alone():
    assert not alike(normal("多休息"), normal("多休息好"))
    assert THRESHOLD == 0.95


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("我是华佗GPT，很高兴为您服务", "华佗GPT"),
        ("您好！我是ChatGPT。", "ChatGPT"),
        ("作为一个人工智能语言模型，我不能诊断", "作为一个人工智能"),
        ("As an AI language model, I cannot", "As an AI language model"),
        ("我是由某某公司研发的医疗大模型", "我是由某某公司研发的医疗大模型"),
        ("这里是 Qwen2.5 的回答", "Qwen2.5"),
        ("我是豆包", "我是豆包"),
        ("tiny-sft 认为应当就医", "tiny-sft"),
        ("TINY-SFT 认为应当就医", "tiny-sft"),
    ],
)
def test_answers_that_name_their_model(text, found):
    assert names_model(text, "lab/tiny-sft") == found


@pytest.mark.parametrize(
    "text",
    [
        "张仲景《伤寒论》里有小柴胡汤",
        "早餐可以吃豆包",
        "华佗再造丸每日两次",
        "扁鹊见蔡桓公",
        "Claude综合征累及中脑",
        "作为医生，我建议您先查血常规",
        "建议由专业团队制定方案",
        "",
    ],
)
def test_physicians_of_old_and_food_name_no_model(text):
    assert names_model(text, "m") is None
