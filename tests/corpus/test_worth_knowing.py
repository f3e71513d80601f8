"""What of a graph stands beside a prompt."""

import pytest

from corpus.records import Message
from corpus.worth_knowing import MAX_FACTS, PER_RELATION, Facts
from kg.building.build import build_graph

TRIPLES = """head,relation,tail
布洛芬,禁忌,孕妇
布洛芬,适应症,发热
布洛芬,不良反应,恶心
布洛芬,药物相互作用,华法林
华法林,禁忌,孕妇
华法林,适应症,房颤
利巴韦林,禁忌,孕妇
痛风,检查,血尿酸
痛风,就诊科室,风湿免疫科
痛风,临床表现,关节痛
痛风,并发症,肾结石
别嘌醇,适应症,痛风
非布司他,适应症,痛风
秋水仙碱,适应症,痛风
秋水仙碱,适应症,痛风
氢氯噻嗪,禁忌,痛风
肾结石,生产企业,无关厂
"""


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    folder = tmp_path_factory.mktemp("graph")
    (folder / "triples.csv").write_text(TRIPLES, encoding="utf-8")
    build_graph([folder / "triples.csv"], folder / "kg")
    return Facts(folder / "kg")


def said(*turns: str) -> list[Message]:
    roles = ("user", "assistant")
    return [Message(roles[place % 2], text) for place, text in enumerate(turns)]  # type: ignore[arg-type]


def test_harm_between_what_is_spoken_of_comes_first(facts: Facts) -> None:
    found = list(facts.of(said("我在吃华法林，发热了", "您好，怀孕了吗？", "是孕妇，能吃布洛芬吗？")))
    assert set(found[:2]) <= {
        "布洛芬 禁忌 孕妇",
        "华法林 禁忌 孕妇",
        "布洛芬 药物相互作用 华法林",
        "华法林 药物相互作用 布洛芬",
    }
    assert found.index("布洛芬 适应症 发热") > 1
    assert len(found) <= MAX_FACTS


def test_an_illness_brings_what_is_given_and_forbidden(facts: Facts) -> None:
    found = list(facts.of(said("得了痛风怎么办？")))
    assert found[0] == "痛风 就诊科室 风湿免疫科"
    assert found[1] == "氢氯噻嗪 禁忌 痛风"
    assert "秋水仙碱 适应症 痛风" in found  # stated twice
    assert sum("适应症" in fact for fact in found) == PER_RELATION
    assert "痛风 检查 血尿酸" in found
    assert not any("无关厂" in fact for fact in found)


def test_what_is_denied_or_only_the_doctors_brings_less(facts: Facts) -> None:
    assert facts.of(said("没有痛风，头有点沉")) == {}
    found = list(facts.of(said("手疼怎么办", "会不会是痛风？做个检查", "那要挂什么科？")))
    assert found == ["痛风 就诊科室 风湿免疫科"]


def test_each_fact_says_where_it_was_stated(facts: Facts) -> None:
    found = facts.of(said("孕妇能吃布洛芬吗"))
    assert found["布洛芬 禁忌 孕妇"] == "triples.csv:2 (禁忌)"
    assert facts.of(said("你好")) == {}
