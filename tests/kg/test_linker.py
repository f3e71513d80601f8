"""Names in text: spans, longest first, and what must not be taken for one."""

import json
import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kg.building.build import build_graph
from kg.graph import KnowledgeGraph
from kg.linking.assertion import statuses
from kg.linking.fuzzy import FuzzyNames
from kg.linking.linker import EntityLinker
from kg.linking.spellings import names_of
from kg.normalise import normalise


@pytest.fixture(scope="module")
def linker(graph: KnowledgeGraph) -> EntityLinker:
    return EntityLinker(graph)


def spans(linker: EntityLinker, text: str) -> list[tuple[str, str, str]]:
    return [(one.text, one.entity, one.match) for one in linker.link(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("发烧两天，咳嗽", [("发烧", "发热", "alias"), ("咳嗽", "咳嗽", "exact")]),
        ("原发性肝癌", [("原发性肝癌", "原发性肝癌", "exact")]),
        ("我有Ⅱ型糖尿病", [("Ⅱ型糖尿病", "2型糖尿病", "exact")]),
        ("我有II型糖尿病", [("II型糖尿病", "2型糖尿病", "exact")]),
        ("高血壓，布洛\u200b芬", [("高血壓", "高血压", "exact"), ("布洛\u200b芬", "布洛芬", "exact")]),
        ("胸部ｘ线", [("胸部ｘ线", "胸部X线", "exact")]),
        ("细胞的问题要调节", []),
        ("", []),
        ("😀👍🏻", []),
    ],
)
def test_spans(linker: EntityLinker, text: str, expected: list[tuple[str, str, str]]) -> None:
    assert spans(linker, text) == expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("吃999", ["999"]),
        ("3999元", []),
        ("9995", []),
        ("0.999", []),
        ("ct片", ["ct"]),
        ("act now", []),
        ("维生素b12", []),
        ("维生素b1片", ["维生素b1"]),
    ],
)
def test_latin_and_digit_names_are_whole_words(write, tmp_path, text: str, found: list[str]) -> None:
    path = write("999,适应症,感冒\n肺炎,检查,CT\n维生素B,适应症,感冒\n维生素B1,适应症,感冒\n")
    build_graph([path], tmp_path / "kg")
    linker = EntityLinker(KnowledgeGraph.open(tmp_path / "kg"))
    assert [one.text for one in linker.link(text)] == found


@settings(max_examples=200, deadline=None)
@given(
    st.text(
        st.one_of(st.characters(), st.sampled_from("发烧热咳嗽肺炎没有是不否认，。？Ⅱ型糖尿病㎎肝癌原发性")),
        max_size=80,
    )
)
def test_a_mention_is_what_stands_there(graph: KnowledgeGraph, text: str) -> None:
    last = 0
    for one in _shared(graph).link(text):
        assert text[one.start : one.end] == one.text
        assert last <= one.start < one.end
        assert graph.entity(one.entity) == one.entity
        last = one.end


@settings(max_examples=200, deadline=None)
@given(
    st.text(
        st.one_of(st.characters(), st.sampled_from("急性扁桃挑体炎阿莫西林胶囊襄高血呀压原发肝癌\ud800㎎Ⅱ👍")),
        max_size=60,
    )
)
def test_misspelt_and_nested_names_are_what_stands_there(graph: KnowledgeGraph, text: str) -> None:
    last = 0
    for one in _shared(graph, fuzzy=True, nested=True).link(text):
        assert text[one.start : one.end] == one.text
        assert last <= one.start < one.end
        assert 0 < one.score <= 1
        assert (one.score < 1) == (one.match == "fuzzy")
        last = one.start


_LINKERS: dict[tuple[bool, bool], EntityLinker] = {}


def _shared(graph: KnowledgeGraph, *, fuzzy: bool = False, nested: bool = False) -> EntityLinker:
    if (fuzzy, nested) not in _LINKERS:
        _LINKERS[fuzzy, nested] = EntityLinker(graph, fuzzy=fuzzy, nested=nested)
    return _LINKERS[fuzzy, nested]


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("发烧热咳嗽肺炎原性肝癌糖尿病2型冠心胸痛布洛芬阿莫西林胶囊头"), max_size=40))
def test_the_longest_name_from_the_left_as_a_plain_search_finds_it(graph: KnowledgeGraph, text: str) -> None:
    names = names_of(graph)
    plain, expected, place = normalise(text).text, [], 0
    while place < len(plain):
        length = max((len(name) for name in names if plain.startswith(name, place)), default=0)
        if length:
            expected.append((place, place + length))
        place += length or 1
    assert [(one.start, one.end) for one in _shared(graph).link(text)] == expected


PIECES = [
    *re.findall(
        r"\w+|[^\w ]",
        "发烧 咳嗽 高血压 糖尿病 Ⅱ型糖尿病 二型糖尿病 肝癌 高血压病史 急性扁挑体炎 没有 否认 不是 是不是 我妈 他 我 "
        "去年 现在 吗 可能 病史 的 ㎎ 😀 ，。？、",
    ),
    *"\n \u200b\ud800",
]


@pytest.mark.parametrize(("fuzzy", "nested"), [(False, False), (True, True)])
@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from(PIECES) | st.text(max_size=2), max_size=25).map("".join), max_size=8))
@example(["没有发烧", "咳嗽 头痛吗"])
def test_many_texts_as_each_alone(graph: KnowledgeGraph, fuzzy: bool, nested: bool, texts: list[str]) -> None:
    linker = _shared(graph, fuzzy=fuzzy, nested=nested)
    assert list(linker.link_all(texts)) == [linker.link(text) for text in texts]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_the_compiled_reading_is_the_plain_one(graph: KnowledgeGraph, text: str) -> None:
    plain, kinds = normalise(text), _shared(graph)._kinds
    spans = _shared(graph)._exact(plain.text)
    assert statuses(plain.codes, spans, kinds, compiled=True) == statuses(plain.codes, spans, kinds, compiled=False)


def test_threads_and_pickled_linkers_agree(graph: KnowledgeGraph) -> None:
    texts = [f"没有发烧{number}天，急性扁挑体炎，我妈有高血压" for number in range(200)]
    linker = _shared(graph, fuzzy=True)
    expected = list(linker.link_all(texts))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(linker.link, texts)) == expected
    assert list(pickle.loads(pickle.dumps(linker)).link_all(texts)) == expected


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("口服蜂蜜", ["drug"]),
        ("忌食蜂蜜", ["food"]),
        ("蜂蜜", ["drug", "food"]),
        ("做个ct检查", ["examination"]),
        ("感到CT很明显", ["symptom"]),
        ("没有便秘", ["disease"]),
    ],
)
def test_a_name_with_two_types_is_settled_by_what_stands_around_it(
    write, tmp_path, text: str, types: list[str]
) -> None:
    path = write(
        "蜂蜜,适应症,便秘\n糖尿病,忌吃,蜂蜜\n便秘,治疗药物,蜂蜜\n糖尿病,检查,CT\n糖尿病,临床表现,Ct\n便秘,并发症,糖尿病\n"
    )
    build_graph([path], tmp_path / "kg")
    found = EntityLinker(KnowledgeGraph.open(tmp_path / "kg")).link(text)
    assert sorted(one.type for one in found) == types
    assert len({(one.start, one.end) for one in found}) == 1


def test_nested_names_on_request(graph: KnowledgeGraph) -> None:
    text = "没有原发性肝癌，有阿莫西林胶囊"
    found = EntityLinker(graph, nested=True).link(text)
    assert [(one.text, one.negated) for one in found] == [
        ("原发性肝癌", True),
        ("肝癌", True),
        ("阿莫西林胶囊", False),
        ("阿莫西林", False),
    ]
    assert [one for one in found if one in EntityLinker(graph).link(text)] == [found[0], found[2]]


def test_long_and_broken_text(graph: KnowledgeGraph, linker: EntityLinker) -> None:
    assert len(linker.link("没有发烧咳嗽" * 170_000)) == 340_000
    assert len(linker.link("发烧，" * 330_000)) == 330_000
    assert linker.link("\ud800发烧\udfff")[0].text == "发烧"
    fuzzy = EntityLinker(graph, fuzzy=True)
    assert {one.match for one in fuzzy.link("急性扁挑体炎" * 1_000)} == {"fuzzy"}
    assert {one.match for one in fuzzy.link("我有急性扁挑体炎，" * 2_000)} == {"fuzzy"}
    assert len(fuzzy.link("好" * 1_000_000)) == 0


def test_misspelt_names_where_asked_for(graph: KnowledgeGraph) -> None:
    fuzzy = EntityLinker(graph, fuzzy=True)
    (one,) = fuzzy.link("医生开了急性扁挑体炎的药")
    assert (one.text, one.entity, one.match) == ("急性扁挑体炎", "急性扁桃体炎", "fuzzy")
    assert 0.75 <= one.score < 1
    assert [one.match for one in fuzzy.link("阿莫西林")] == ["exact"]
    assert EntityLinker(graph).link("急性扁挑体炎") == []


def slips(names: list[str], text: str, compiled: bool = False) -> list[tuple[str, str]]:
    plain = normalise(text)
    found = FuzzyNames(names, [False] * len(names)).search(plain.text, plain.codes, compiled=compiled)
    return [(plain.text[near.start : near.end], names[near.number]) for near in found]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("吃了阿莫西林胶襄和对乙酰氨酚", [("阿莫西林胶襄", "阿莫西林胶囊"), ("对乙酰氨酚", "对乙酰氨基酚")]),
        ("我有高血呀", [("高血呀", "高血压")]),
        ("得了高雪压", [("高雪压", "高血压")]),
        ("阿莫西西林胶囊", [("阿莫西西林胶囊", "阿莫西林胶囊")]),
        ("左侧扁挑体炎", [("扁挑体炎", "扁桃体炎")]),
        ("吃了阿西莫林胶囊", [("阿西莫林胶囊", "阿莫西林胶囊")]),
        ("阿莫西林胶，扁桃体，十二指肠溃", [("阿莫西林胶", "阿莫西林胶囊"), ("十二指肠溃", "十二指肠溃疡")]),
        ("高血鸭", [("高血鸭", "高血压")]),
        ("又长寻麻疹了，起了寻麻诊", [("寻麻疹", "荨麻疹")]),
        ("总是返酸，室内要通风", [("返酸", "反酸")]),
        ("十二指溃疡", [("十二指溃疡", "十二指肠溃疡")]),
        ("由阿莫西林胶囊中", []),
        ("对乙先氨基芬", [("对乙先氨基芬", "对乙酰氨基酚")]),
        ("右下腹疼痛，肝功能正常", []),
        ("高血", []),
        ("", []),
    ],
)
def test_a_slip_is_no_change_of_meaning(compiled: bool, text: str, found: list[tuple[str, str]]) -> None:
    names = ["左下腹疼痛", "肝功能异常", "阿莫西林胶囊", "对乙酰氨基酚", "高血压", "扁桃体炎", "荨麻疹", "反酸", "痛风"]
    names.append("十二指肠溃疡")
    assert slips(names, text, compiled) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("起了寻麻疹", [("寻麻疹", "荨麻疹", "fuzzy")]),
        ("出过麻疹", [("麻疹", "麻疹", "exact")]),
        ("阿莫西林胶襄", [("阿莫西林胶襄", "阿莫西林胶囊", "fuzzy")]),
        ("阿莫西林胶布", [("阿莫西林", "阿莫西林", "exact")]),
        ("高血压并发症", [("高血压", "高血压", "exact")]),
        ("慢性胃言\n寻\n麻疹", [("慢性胃言", "慢性胃炎", "fuzzy"), ("麻疹", "麻疹", "exact")]),
    ],
)
def test_a_misspelt_name_may_hold_a_shorter_one(write, tmp_path, text: str, found: list[tuple[str, str, str]]) -> None:
    path = write(
        "麻疹,临床表现,皮疹\n荨麻疹,临床表现,皮疹\n阿莫西林,适应症,肺炎\n阿莫西林胶囊,适应症,肺炎\n"
        "高血压,并发症,高血压病\n慢性胃炎,临床表现,胃痛\n"
    )
    build_graph([path], tmp_path / "kg")
    assert spans(EntityLinker(KnowledgeGraph.open(tmp_path / "kg"), fuzzy=True), text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("转氨酶高不高", []),
        ("复查心电图", []),
        ("心电图异常", ["心电图异常"]),
        ("基底膜增厚", []),
        ("浅表性胃炎", ["慢性浅表性胃炎"]),
        ("腰椎间盘突出", ["腰椎间盘突出症"]),
        ("感染了幽门螺杆菌", ["感染", "幽门螺杆菌感染"]),
        ("尿蛋白两个加号", ["蛋白尿"]),
        ("心脏病变", []),
        ("没有慢性病", []),
        ("查一查性病", ["性病"]),
        ("有心脏病", ["心脏病"]),
    ],
)
def test_an_alias_that_says_less_than_its_finding(write, tmp_path, text: str, found: list[str]) -> None:
    parts = {
        "转氨酶": "转氨酶增高",
        "心电图": "心电图异常",
        "基底膜": "薄基底膜肾病",
        "浅表性胃炎": "慢性浅表性胃炎",
        "腰椎间盘突出": "腰椎间盘突出症",
        "幽门螺杆菌": "幽门螺杆菌感染",
        "尿蛋白": "蛋白尿",
    }
    path = write("".join(f"发热,并发症,{finding}\n" for finding in (*parts.values(), "心脏病", "性病", "感染")))
    aliases = tmp_path / "aliases.json"
    aliases.write_text(json.dumps(parts, ensure_ascii=False), encoding="utf-8")
    build_graph([path], tmp_path / "kg", aliases=aliases)
    linker = EntityLinker(KnowledgeGraph.open(tmp_path / "kg"))
    assert [one.entity for one in linker.link(text)] == found
