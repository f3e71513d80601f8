"""Statements of doctors: what is claimed, and what the graph says of it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.checking.checker import Checker, check
from kg.checking.phrases import WAYS, Ways
from kg.graph import KnowledgeGraph

CLAIMS = """
孕妇可以吃布洛芬 | 布洛芬 适用人群 孕妇 contradicted
怀孕期间头痛可以服用布洛芬 | 布洛芬 适应症 头痛 supported; 布洛芬 适用人群 孕妇 contradicted
您现在怀孕，头痛可以吃布洛芬缓解 | 布洛芬 适应症 头痛 supported; 布洛芬 适用人群 孕妇 contradicted
布洛芬孕妇可以吃 | 布洛芬 适用人群 孕妇 contradicted
孕妇可以用甲硝唑 | 甲硝唑 适用人群 孕妇 contradicted
宝宝可以吃阿司匹林 | 阿司匹林 适用人群 儿童 contradicted
儿童可以吃布洛芬 | 布洛芬 适用人群 儿童 unknown
胃溃疡患者可以吃布洛芬 | 布洛芬 适应症 胃溃疡 contradicted
胃溃疡的人头痛可以服用布洛芬 | 布洛芬 适应症 头痛 supported; 布洛芬 适应症 胃溃疡 contradicted
痛风建议服用氢氯噻嗪 | 氢氯噻嗪 适应症 痛风 contradicted
急性扁桃体炎可以吃阿莫西林，一天三次 | 阿莫西林 适应症 急性扁桃体炎 supported
发烧的话可以口服布洛芬或对乙酰氨基酚 | 对乙酰氨基酚 适应症 发热 supported; 布洛芬 适应症 发热 supported
建议您口服阿莫西林治疗肺炎 | 阿莫西林 适应症 肺炎 supported
肺炎的治疗首选阿莫西林 | 阿莫西林 适应症 肺炎 supported
高血压建议服用硝苯地平 | 硝苯地平 适应症 高血压 supported
咳嗽可以吃阿莫西林 | 阿莫西林 适应症 咳嗽 unknown
孕妇不能吃布洛芬 | 布洛芬 禁忌 孕妇 supported
布洛芬孕妇禁用 | 布洛芬 禁忌 孕妇 supported
布洛芬禁用于胃溃疡 | 布洛芬 禁忌 胃溃疡 supported
肺炎禁用阿莫西林 | 阿莫西林 禁忌 肺炎 contradicted
肺炎患者不能吃阿莫西林 | 阿莫西林 禁忌 肺炎 contradicted
阿莫西林不能用于肺炎 | 阿莫西林 禁忌 肺炎 contradicted
布洛芬可能引起恶心 | 布洛芬 不良反应 恶心 supported
布洛芬的副作用有恶心、腹痛 | 布洛芬 不良反应 恶心 supported; 布洛芬 不良反应 腹痛 unknown
阿司匹林和华法林不能一起吃 | 阿司匹林 药物相互作用 华法林 supported
华法林不能和阿司匹林同时服用 | 华法林 药物相互作用 阿司匹林 supported
建议服用阿司匹林和华法林 | 阿司匹林 联合用药 华法林 contradicted
华法林和阿司匹林可以一起吃 | 华法林 联合用药 阿司匹林 contradicted
发热是肺炎的常见症状 | 肺炎 临床表现 发热 supported
肺炎的症状有发热、咳嗽 | 肺炎 临床表现 发热 supported; 肺炎 临床表现 咳嗽 supported
肺炎常常会出现胸痛 | 肺炎 临床表现 胸痛 unknown
肺炎需要做胸片 | 肺炎 检查 胸部X线 supported
建议拍胸片排除肺炎 | 肺炎 检查 胸部X线 supported
肺炎建议看呼吸内科 | 肺炎 就诊科室 呼吸内科 supported
"""

SILENT = """
发烧可以吃布洛芬吗？
发烧能不能吃布洛芬
孕妇是否可以吃布洛芬
没有发烧就不要吃布洛芬
布洛芬不会引起恶心
如果您不是孕妇，可以吃别的
除了孕妇，都可以吃布洛芬
听说孕妇可以吃布洛芬
不要以为孕妇可以吃布洛芬
孕妇可以吃布洛芬的说法是错误的
避免给宝宝吃阿司匹林这类药
孕妇、儿童、胃溃疡，布洛芬，阿莫西林，这些我都记下了
可以吃阿司匹林、华法林
可以吃阿司匹林或华法林
您有胃溃疡。发现胃溃疡多久了？
常用的有布洛芬、阿莫西林，孕妇慎用
胃溃疡，头痛，布洛芬
孩子太小，肺炎，不要吃阿莫西林
哺乳期肺炎不要吃阿莫西林
肺炎好了就不要吃阿莫西林了
喝了酒肺炎也别吃阿莫西林
肺炎急性期不能用阿莫西林
肺炎原因不明时不要吃阿莫西林
肺炎不可用阿莫西林代替布洛芬
孕妇生完孩子后可以吃布洛芬
多喝水，注意休息
您好
😀
"""


@pytest.fixture(scope="module")
def checker(graph: KnowledgeGraph) -> Checker:
    return Checker(graph)


@pytest.mark.parametrize("case", CLAIMS.strip().splitlines())
def test_claims(checker: Checker, case: str) -> None:
    text, _, wanted = case.partition(" | ")
    found = sorted(f"{one.subject} {one.relation} {one.object} {one.verdict}" for one in checker.check(text))
    assert "; ".join(found) == "; ".join(sorted(wanted.split("; ")))


def test_what_an_illness_causes_is_claimed_beside_what_is_taken_for_it(checker: Checker) -> None:
    found = {
        (one.subject, one.relation, one.object): one.verdict
        for one in checker.check("乳腺癌引起的呕吐可以吃甲氧氯普胺")
    }
    assert found == {
        ("乳腺癌", "并发症", "呕吐"): "unknown",
        ("甲氧氯普胺", "适应症", "乳腺癌"): "contradicted",
        ("甲氧氯普胺", "适应症", "呕吐"): "supported",
    }


@pytest.mark.parametrize("text", SILENT.strip().splitlines())
def test_what_makes_no_claim_to_be_contradicted(checker: Checker, text: str) -> None:
    assert [one for one in checker.check(text) if one.verdict == "contradicted"] == []


@pytest.mark.parametrize(
    "text",
    [
        "发烧可以吃布洛芬吗？",
        "发烧能不能吃布洛芬",
        "布洛芬不会引起恶心",
        "没有证据表明阿莫西林可以治疗肺炎",
        "您好",
        "",
    ],
)
def test_what_makes_no_claim_at_all(checker: Checker, text: str) -> None:
    assert checker.check(text) == []


def test_evidence_has_its_provenance_and_the_span_its_words(graph: KnowledgeGraph) -> None:
    text = "您好！Ⅱ级护理。孕妇可以吃布洛芬，别担心。"
    (claim,) = check(text, graph)
    assert text[claim.start : claim.end] == "孕妇可以吃布洛芬"
    (fact,) = claim.evidence
    assert (fact.subject, fact.relation, fact.object, fact.file, fact.line) == (
        "布洛芬",
        "禁忌",
        "孕妇",
        "graph.csv",
        7,
    )


def test_a_graph_that_says_both_does_not_know(write, tmp_path) -> None:
    from kg.building.build import build_graph

    build_graph([write("布洛芬,适应症,痛风\n布洛芬,禁忌,痛风\n")], tmp_path / "kg")
    (claim,) = check("痛风可以吃布洛芬", KnowledgeGraph.open(tmp_path / "kg"))
    assert claim.verdict == "unknown"
    assert [fact.relation for fact in claim.evidence] == ["适应症", "禁忌"]


@settings(max_examples=150, deadline=None)
@given(
    st.text(
        st.one_of(
            st.characters(),
            st.sampled_from(["孕妇", "可以吃", "布洛芬", "和", "，", "阿司匹林", "㎎", "A", "D"]).flatmap(
                lambda word: st.just(word[0])
            ),
        ),
        max_size=80,
    )
)
def test_any_text_is_answered(checker: Checker, text: str) -> None:
    for claim in checker.check(text):
        assert 0 <= claim.start < claim.end <= len(text)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "孕妇",
                "可以",
                "吃",
                "布洛芬",
                "和",
                "，",
                "阿司匹林",
                "华法林",
                "不能",
                "胃溃疡",
                "患者",
                "发烧",
                "没有",
                "。",
                "吗",
                "？",
                "一起",
                "D",
                "㎎",
            ]
        ),
        max_size=20,
    )
)
def test_verdicts_are_what_the_graph_says(checker: Checker, graph: KnowledgeGraph, words: list[str]) -> None:
    text = "".join(words)
    for claim in checker.check(text):
        assert 0 <= claim.start < claim.end <= len(text)
        for fact in claim.evidence:
            assert graph.has(fact.subject, fact.relation, fact.object)
        assert bool(claim.evidence) == (claim.verdict != "unknown")


def test_a_million_characters_in_one_sentence(checker: Checker) -> None:
    assert len(checker.check("孕妇可以吃布洛芬" * 30_000)) >= 30_000
    assert checker.check("好" * 1_000_000) == []


LONG = ["肺炎，", "发热、", "它布洛芬，这个病肺炎，", "孕妇不能吃布洛芬，"]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("unit", LONG)
def test_no_text_takes_longer_than_its_length(checker: Checker, unit: str) -> None:
    """Read at a cost of its length squared, this would run into the time limit."""
    text = unit * (25_000 // len(unit))
    assert all(text[claim.start : claim.end] for claim in checker.check(text))


@pytest.mark.parametrize("ways", WAYS, ids=lambda ways: next(iter(ways.patterns)))
def test_every_phrase_finds_the_example_beside_it(ways: Ways) -> None:
    for example, pattern in ways.patterns.items():
        found = re.search(pattern, example)
        assert found, example
        assert found["s"].isupper() and found["o"].isupper()
        assert not re.search(ways.veto, found[0]), example


def test_no_phrase_stands_in_two_places() -> None:
    patterns = [pattern for ways in WAYS for pattern in ways.patterns.values()]
    assert len(patterns) == len(set(patterns))
