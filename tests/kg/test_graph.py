"""Look-ups against brute force and networkx."""

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from operator import methodcaller
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.errors import ZhongjingError
from kg.building.build import build_graph
from kg.graph import KnowledgeGraph

NAMES = st.sampled_from(["甲", "乙乙", "丙", "a", "ab", "abc", "😀", "丁"])
RELATIONS = st.sampled_from(["临床表现", "喜欢", "symptom_of", "相关"])
ROWS = st.lists(
    st.tuples(NAMES, st.sampled_from(["临床表现", "喜欢", "并发症"]), NAMES).filter(lambda row: row[0] != row[2]),
    min_size=1,
    max_size=30,
)


@settings(max_examples=40, deadline=None)
@given(ROWS, NAMES, NAMES)
def test_every_look_up_is_what_a_scan_finds(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], one: str, other: str
) -> None:
    folder = tmp_path_factory.mktemp("g")
    (folder / "g.csv").write_text("".join(",".join(row) + "\n" for row in rows))
    build_graph([folder / "g.csv"], folder / "kg")
    graph = KnowledgeGraph.open(folder / "kg")
    facts = sorted(set(rows))

    def asked(*query: str | None) -> list[tuple[str, str, str]]:
        return [
            row for row in facts if all(want is None or want == part for want, part in zip(query, row, strict=True))
        ]

    for query in [
        (one, None, None),
        (None, None, one),
        (None, "喜欢", None),
        (one, "喜欢", other),
        (one, None, other),
        (None, None, None),
        (None, "临床表现", one),
    ]:
        assert sorted((f.subject, f.relation, f.object) for f in graph.triples(*query)) == asked(*query)
    assert sum(fact.count for fact in graph.triples()) == len(rows)
    around = [(n.name, n.relation, n.outward) for n in graph.neighbours(one)]
    assert sorted(around) == sorted(
        [(o, r, True) for s, r, o in facts if s == one] + [(s, r, False) for s, r, o in facts if o == one]
    )


@settings(max_examples=30, deadline=None)
@given(ROWS, NAMES, st.integers(0, 3))
def test_subgraph_is_the_ball_that_networkx_draws(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], centre: str, hops: int
) -> None:
    folder = tmp_path_factory.mktemp("g")
    (folder / "g.csv").write_text("".join(",".join(row) + "\n" for row in rows))
    build_graph([folder / "g.csv"], folder / "kg")
    whole: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for subject, relation, target in set(rows):
        whole.add_edge(subject, target, key=relation)
    picture = KnowledgeGraph.open(folder / "kg").subgraph([centre], hops)
    expected = nx.ego_graph(whole, centre, radius=hops, undirected=True) if centre in whole else nx.MultiDiGraph()
    assert set(picture) == set(expected)
    assert set(picture.edges(keys=True)) == set(expected.edges(keys=True))


def test_names_aliases_and_spellings(graph: KnowledgeGraph) -> None:
    assert graph.entity("发烧") == "发热"
    assert graph.entity("胸部Ｘ线") == "胸部X线"
    assert graph.entity("Ⅱ型糖尿病") == "2型糖尿病"
    assert graph.entity("没有这个") is None
    assert graph.entity("\ud800") is None
    assert graph.aliases_of("发热") == ["发烧"]
    assert "扑热息痛" in graph
    assert graph.has("扑热息痛", "to_treat", "发烧")
    assert graph.has("发热", "treated_by", "扑热息痛")
    assert not graph.has("布洛芬", "适应症", "肺炎")


def test_what_is_no_graph_says_so(tmp_path: Path, graph: KnowledgeGraph) -> None:
    with pytest.raises(ZhongjingError, match="no such folder"):
        KnowledgeGraph.open(tmp_path / "none")
    with pytest.raises(ZhongjingError, match="no manifest"):
        KnowledgeGraph.open(tmp_path)
    for path in graph.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[: 40 if path.suffix == ".npy" else None])
    with pytest.raises(ZhongjingError, match="damaged"):
        KnowledgeGraph.open(tmp_path)


def test_parts_of_different_graphs_are_refused(tmp_path: Path, graph: KnowledgeGraph) -> None:
    (tmp_path / "g.csv").write_text("肺炎,临床表现,咳嗽\n", encoding="utf-8")
    build_graph([tmp_path / "g.csv"], tmp_path / "kg")
    (tmp_path / "kg/vocabulary.json").write_bytes((graph.folder / "vocabulary.json").read_bytes())
    with pytest.raises(ZhongjingError, match="do not fit together"):
        KnowledgeGraph.open(tmp_path / "kg")


def test_other_processes_open_it_by_path(graph: KnowledgeGraph) -> None:
    assert len(pickle.dumps(graph)) < 500
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        assert list(pool.map(methodcaller("has", "肺炎", "临床表现", "发烧"), [graph, graph])) == [True, True]


@settings(max_examples=60, deadline=None)
@given(
    ROWS, st.lists(st.tuples(NAMES, st.sampled_from(["临床表现", "喜欢", "symptom_of", "相关"]), NAMES), max_size=20)
)
def test_a_bulk_check_says_what_single_checks_say(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], asked: list[tuple[str, str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("g")
    (folder / "g.csv").write_text("".join(",".join(row) + "\n" for row in [*rows, ("甲", "相关", "丙")]))
    build_graph([folder / "g.csv"], folder / "kg")
    graph = KnowledgeGraph.open(folder / "kg")
    subjects, relations, objects = ([row[part] for row in asked] for part in range(3))
    single = [graph.has(*row) for row in asked]
    assert single == [any(graph.triples(*row)) for row in asked]
    assert [graph.has(one, None, other) for one, _, other in asked] == graph.has_many(subjects, objects).tolist()
    assert graph.has_many(subjects, objects, relations).tolist() == single
    assert graph.has_many(graph.numbers(subjects), graph.numbers(objects), relations).tolist() == single
    for relation in set(relations):
        expected = [graph.has(one, relation, other) for one, other in zip(subjects, objects, strict=True)]
        assert graph.has_many(subjects, objects, relation).tolist() == expected
    symmetric = {(one, other) for one, relation, other in [*rows, ("甲", "相关", "丙")] if relation == "相关"}
    joined = {(one, other) for one, _, other in rows} | symmetric | {(other, one) for one, other in symmetric}
    assert graph.has_many(subjects, objects).tolist() == [
        (one, other) in joined for one, other in zip(subjects, objects, strict=True)
    ]


def test_numbers_names_and_what_lies_around_as_arrays(graph: KnowledgeGraph) -> None:
    names = ["发烧", "没有这个", "肺炎"]
    assert graph.numbers(names).tolist() == [graph.number("发热"), -1, graph.number("肺炎")]
    number = graph.number("肺炎")
    assert number is not None
    outward, inward = graph.outward(number), graph.inward(number)
    named = [
        (graph.names[other], graph.vocabulary.relations[relation], outwards)
        for outwards, joined in ((True, outward), (False, inward))
        for relation, other in zip(joined.relations.tolist(), joined.entities.tolist(), strict=True)
    ]
    assert named == [(one.name, one.relation, one.outward) for one in graph.neighbours("肺炎")]
    with pytest.raises(ValueError, match="2 subjects, 1 objects"):
        graph.has_many(["肺炎", "发热"], ["发热"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=60, unique=True), st.text(max_size=6))
def test_a_name_is_found_where_it_stands_and_nowhere_else(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], other: str
) -> None:
    from kg.store import load_strings, save_strings

    folder = tmp_path_factory.mktemp("s")
    names = sorted(name for name in names if not any("\ud800" <= one <= "\udfff" for one in name))
    save_strings(folder, "n", names)
    strings = load_strings(folder, "n")
    assert list(strings) == names == [strings[place] for place in range(len(names))]
    assert [strings.position(name) for name in names] == list(range(len(names)))
    assert strings.position(other) == (names.index(other) if other in names else None)
    assert strings.arrow().to_pylist() == names


def test_threads_share_one_graph(graph: KnowledgeGraph) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(graph.neighbours, ["肺炎", "布洛芬"] * 50))
    assert answers == [graph.neighbours("肺炎"), graph.neighbours("布洛芬")] * 50
