"""Files in, folder out: merging, provenance, conflicts, and the same bytes every time."""

import json
from pathlib import Path

import pytest

from foundation.errors import ZhongjingError
from foundation.rejects import read_rejects
from kg.building.build import build_graph
from kg.graph import KnowledgeGraph
from kg.relations import VOCABULARY, resolve


def test_inverses_merge_into_one_direction_and_keep_the_first_wording(write, tmp_path: Path) -> None:
    path = write("肺炎,treated_by,阿莫西林\n阿莫西林,to_treat,肺炎\n阿莫西林,to_treat,肺炎\n肺炎,常用药品,阿莫西林\n")
    manifest = build_graph([path], tmp_path / "kg", names=["g.csv"])
    graph = KnowledgeGraph.open(tmp_path / "kg")
    (fact,) = graph.triples()
    assert (fact.subject, fact.relation, fact.object) == ("阿莫西林", "适应症", "肺炎")
    assert (fact.file, fact.line, fact.count) == ("g.csv", 1 if fact.original == "treated_by" else fact.line, 4)
    assert manifest.counts["read"] == 4
    assert manifest.counts["duplicates"] == 1
    assert manifest.counts["merged_inverses"] == 2


def test_symmetric_relations_are_stored_once(write, tmp_path: Path) -> None:
    build_graph([write("华法林,药物相互作用,阿司匹林\n阿司匹林,药物相互作用,华法林\n")], tmp_path / "kg")
    graph = KnowledgeGraph.open(tmp_path / "kg")
    assert len(graph) == 1
    assert graph.has("华法林", "药物相互作用", "阿司匹林")
    assert graph.has("阿司匹林", "药物相互作用", "华法林")


def test_unknown_relations_stay_and_types_come_from_the_ends(write, tmp_path: Path) -> None:
    path = write(
        "布洛芬,禁忌,孕妇\n布洛芬,适应症,头痛\n偏头痛,临床表现,头痛\n偏头痛,检查,头颅CT\n偏头痛,就诊科室,神经内科\n甲,喜欢,乙\n"
    )
    build_graph([path], tmp_path / "kg")
    graph = KnowledgeGraph.open(tmp_path / "kg")
    kinds = {name: graph.type_of(name) for name in ("布洛芬", "孕妇", "头痛", "偏头痛", "头颅CT", "神经内科", "甲")}
    assert list(kinds.values()) == ["drug", "group", "symptom", "disease", "examination", "department", "other"]
    assert graph.has("甲", "喜欢", "乙")


def test_a_type_that_the_file_states_wins(write, tmp_path: Path) -> None:
    build_graph([write("head,relation,tail,tail_type\n布洛芬,适应症,偏头痛,症状\n")], tmp_path / "kg")
    assert KnowledgeGraph.open(tmp_path / "kg").type_of("偏头痛") == "symptom"


def test_conflicts_are_listed_with_both_places(write, tmp_path: Path) -> None:
    manifest = build_graph([write("布洛芬,适应症,痛风\n布洛芬,禁忌,痛风\n")], tmp_path / "kg", names=["g.csv"])
    assert manifest.counts["conflicts"] == 1
    assert [json.loads(line) for line in (tmp_path / "kg/conflicts.jsonl").read_text().splitlines()] == [
        {"drug": "布洛芬", "target": "痛风", "indicated": "g.csv:1", "contraindicated": "g.csv:2"}
    ]


def test_alias_chains_cycles_and_contradictions(write, tmp_path: Path) -> None:
    path = write("布洛芬,适应症,发热\n阿司匹林,适应症,头痛\n阿司匹林,同义词,乙酰水杨酸\n")
    aliases = {"发烧": "发热", "烧": "发烧", "a": "b", "b": "a", "疼": ["头痛", "发热"], "头痛": "发热"}
    alias_path = write(json.dumps(aliases), "aliases.json")
    build_graph([path], tmp_path / "kg", aliases=alias_path)
    graph = KnowledgeGraph.open(tmp_path / "kg")
    assert [graph.entity(name) for name in ("烧", "疼", "头痛", "乙酰水杨酸", "a")] == [
        "发热",
        "头痛",
        "头痛",
        "阿司匹林",
        None,
    ]
    reasons = sorted(reject.reason for reject in read_rejects(tmp_path / "kg/rejects.jsonl"))
    assert reasons == ["alias_cycle", "alias_cycle", "alias_is_entity", "ambiguous_alias"]


def test_the_same_input_gives_the_same_bytes(write, tmp_path: Path) -> None:
    first, second = (
        write("甲病,临床表现,乙症\n丙药,适应症,甲病\n", "a.csv"),
        write("坏行\n丁药,禁忌,甲病\n坏,行", "b.csv"),
    )
    for name in ("one", "two"):
        build_graph([first, second], tmp_path / name, names=["a.csv", "b.csv"])
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "two").iterdir())
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("content", ["", "head,relation,tail\n", "坏,行\n", "{"])
def test_nothing_to_build_is_an_error_that_leaves_nothing(write, tmp_path: Path, content: str) -> None:
    path = write(content)
    with pytest.raises(ZhongjingError, match="no triple") as caught:
        build_graph([path], tmp_path / "kg")
    assert "graph.csv" in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["graph.csv"]


def test_no_relation_name_has_two_meanings() -> None:
    for relation in VOCABULARY:
        for name in (relation.name, *relation.names.split()):
            assert (resolve(name).relation.name, resolve(name).inverted) == (relation.name, False), name
        for name in relation.inverses.split():
            assert (resolve(name).relation.name, resolve(name).inverted) == (relation.name, True), name
    assert resolve("Treated By").relation.name == "适应症"


def test_a_folder_that_is_no_graph_is_never_replaced(write, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("keep me")
    with pytest.raises(ZhongjingError, match="holds other things"):
        build_graph([write("肺炎,临床表现,发热\n")], mine)
    assert (mine / "notes.txt").read_text() == "keep me"


def test_where_the_files_lay_leaves_no_trace(write, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / "graph.csv").write_text("肺炎,临床表现,发热\n", encoding="utf-8")
    hashes = {build_graph([folder / "graph.csv"], folder / "kg").sha256 for folder in (one, other)}
    assert len(hashes) == 1


@pytest.mark.parametrize(
    "aliases",
    [
        {"发烧": "发热", "高烧": "发热", "头疼": "头痛"},
        {"发热": ["发烧", "高烧"], "头痛": ["头疼"]},
        {"发热": ["发烧", "高烧"], "头痛": "头疼"},
    ],
)
def test_an_alias_map_may_run_either_way(write, tmp_path: Path, aliases: dict[str, str | list[str]]) -> None:
    path = write("布洛芬,适应症,发热\n布洛芬,适应症,头痛\n")
    map_path = write(json.dumps(aliases, ensure_ascii=False), "aliases.json")
    build_graph([path], tmp_path / "kg", aliases=map_path)
    graph = KnowledgeGraph.open(tmp_path / "kg")
    assert graph.aliases_of("发热") == ["发烧", "高烧"]
    assert graph.aliases_of("头痛") == ["头疼"]
    assert dict(graph.alias_pairs()) == {"发烧": "发热", "高烧": "发热", "头疼": "头痛"}


def test_a_folder_an_empty_file_and_a_broken_gzip_beside_a_good_file(write, tmp_path: Path) -> None:
    import gzip

    good, empty = write("肺炎,临床表现,发热\n", "good.csv"), write("", "empty.csv")
    broken = write(gzip.compress("肺炎,临床表现,咳嗽\n".encode() * 9000)[:-20], "broken.csv.gz")
    (tmp_path / "folder").mkdir()
    manifest = build_graph([tmp_path / "folder", empty, broken, good], tmp_path / "kg")
    found = [(one.file, one.reason) for one in read_rejects(tmp_path / "kg/rejects.jsonl")]
    assert found == [("folder", "folder"), ("empty.csv", "empty_file"), ("broken.csv.gz", "damaged")]
    assert manifest.counts["rejected"] == {"damaged": 1, "empty_file": 1, "folder": 1}
    graph = KnowledgeGraph.open(tmp_path / "kg")
    assert graph.has("肺炎", "临床表现", "咳嗽")
    assert graph.has("肺炎", "临床表现", "发热")


def test_more_relations_than_two_bytes_count(write, tmp_path: Path) -> None:
    count = 33_000
    path = write("".join(f"甲,关系{number},乙\n" for number in range(count)))
    build_graph([path], tmp_path / "kg")
    graph = KnowledgeGraph.open(tmp_path / "kg")
    assert len(graph) == count
    assert graph.has("甲", "关系32999", "乙")
    assert next(graph.triples("甲", "关系32999", "乙")).original == "关系32999"
