"""What databases and other projects export: numbered nodes, wide tables, statements beside texts, N-Triples."""

import json
from pathlib import Path

import pytest

from foundation.errors import ZhongjingError
from kg.building.build import build_graph
from kg.graph import KnowledgeGraph
from kg.relations import resolve

SYMPTOM, CHECK, DRUG = ("肺炎", "临床表现", "咳嗽"), ("肺炎", "检查", "血常规"), ("阿莫西林", "适应症", "肺炎")
DEPARTMENT = ("肺炎", "就诊科室", "呼吸内科")


def lines(*values: object) -> str:
    return "\n".join(json.dumps(value, ensure_ascii=False) for value in values)


def node(number: str, label: str, name: str) -> dict[str, object]:
    return {"type": "node", "id": number, "labels": [label], "properties": {"name": name}}


SPAN = {"subject": {"text": "肺炎", "start": 0}, "predicate": "临床表现", "object": {"text": "咳嗽", "start": 3}}
EXPORTS = {
    "neo4j-admin, ids in spaces": (
        [
            "id:ID(Disease),name:string,:LABEL\n0,肺炎,疾病\n",
            "id:ID(Symptom),name,:LABEL\n0,咳嗽,症状\n",
            ":START_ID(Disease),note,:END_ID(Symptom),:TYPE\n0,x,0,has_symptom\n",
        ],
        {SYMPTOM},
    ),
    "nodes and relationships by plain ids": (
        ["id,name,type\n7,肺炎,Disease\n8,咳嗽,Symptom\n", "source_id,relation,target_id\n7,hasSymptom,8\n"],
        {SYMPTOM},
    ),
    "apoc csv, both in one": (
        [
            '"_id","_labels","name","_start","_end","_type"\n"0",":Disease","肺炎",,,\n"1",":Symptom","咳嗽",,,\n'
            ',,,"0","1","has_symptom"\n'
        ],
        {SYMPTOM},
    ),
    "apoc json": (
        [
            lines(
                node("0", "Disease", "肺炎"),
                node("1", "Symptom", "咳嗽"),
                {"id": "2", "type": "relationship", "label": "has_symptom", "start": {"id": "0"}, "end": {"id": "1"}},
            )
        ],
        {SYMPTOM},
    ),
    "a drawing": (
        [
            lines(
                {
                    "nodes": [{"id": 0, "name": "肺炎", "category": "疾病"}, {"id": 1, "name": "咳嗽"}],
                    "links": [{"source": 0, "target": 1, "value": "症状"}],
                }
            )
        ],
        {SYMPTOM},
    ),
    "names beside ids": (
        [lines([{"source": 1, "sourceName": "阿莫西林", "target": 2, "targetName": "肺炎", "relationship": "适应症"}])],
        {DRUG},
    ),
    "statements beside a text": ([lines({"text": "略", "triple_list": [SYMPTOM]}, {"relations": [SPAN]})], {SYMPTOM}),
    "five in a list": ([lines([["肺炎", "疾病", "临床表现", "咳嗽", "症状"]])], {SYMPTOM}),
    "relations above subjects": (
        [lines({"临床表现": {"肺炎": ["咳嗽"]}, "检查": [["肺炎", "血常规"]]})],
        {SYMPTOM, CHECK},
    ),
    "records with commas behind": (
        ['{"name": "肺炎", "symptom": ["咳嗽"]},\n{"name": "肺炎", "check": ["血常规"]},\n'],
        {SYMPTOM, CHECK},
    ),
    "printed by Python": (["('肺炎', '临床表现', '咳嗽')\n('肺炎', '检查', '血常规')\n"], {SYMPTOM, CHECK}),
    "a printed dictionary": (["{'肺炎': {'临床表现': ['咳嗽'], '检查': ['血常规']}}"], {SYMPTOM, CHECK}),
    "a wide table": (
        [
            "疾病名称,疾病描述,科室,症状,检查,常用药物\n"
            '肺炎,"肺的病。\n常见。",呼吸内科,咳嗽,"血常规",阿莫西林\n流感,略,内科,"发热,咳嗽",,"奥司他韦,连花清瘟"\n'
        ],
        {SYMPTOM, CHECK, DRUG, DEPARTMENT, ("流感", "就诊科室", "内科"), ("流感", "临床表现", "发热")}
        | {("流感", "临床表现", "咳嗽"), ("奥司他韦", "适应症", "流感"), ("连花清瘟", "适应症", "流感")},
    ),
    "two columns": (["疾病,症状\n肺炎,咳嗽\n"], {SYMPTOM}),
    "types before names, blanks between": (
        [
            "疾病 肺炎 疾病的症状 疾病症状 咳嗽\n"
            "疾病 肺炎 疾病所需检查 检查项目 血常规\n"
            "疾病 肺炎 疾病所属科目 科目 呼吸内科\n"
        ],
        {SYMPTOM, CHECK, DEPARTMENT},
    ),
    "name|type": (["肺炎|疾病\t临床表现\t咳嗽|症状\n肺炎|疾病\t检查\t血常规|检查\n"], {SYMPTOM, CHECK}),
    "n-triples, labels after": (
        [
            '<http://x/1> <http://x/v#has_symptom> "\\u54B3\\u55FD"@zh .\n# a remark\n'
            "<http://x/%E8%82%BA%E7%82%8E> <http://x/v#检查> <http://x/2> .\n"
            '<http://x/1> <http://www.w3.org/2000/01/rdf-schema#label> "肺炎" .\n'
            '<http://x/2> <http://www.w3.org/2000/01/rdf-schema#label> "血常规" .\n'
        ],
        {SYMPTOM, CHECK},
    ),
}


@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_what_circulates_gives_its_triples_and_nothing_else(write, tmp_path: Path, name: str) -> None:
    contents, expected = EXPORTS[name]
    paths = [write(content, f"part{number}") for number, content in enumerate(contents)]
    build_graph(paths, tmp_path / "kg")
    graph = KnowledgeGraph.open(tmp_path / "kg")
    assert {(fact.subject, fact.relation, fact.object) for fact in graph.triples()} == expected


def test_an_id_without_its_node_is_named_and_no_number_becomes_an_entity(write, tmp_path: Path) -> None:
    nodes = write("id:ID,name,:LABEL,desc\n0,肺炎,疾病,略\n1,咳嗽,症状,略\n", "nodes.csv")
    links = write(":START_ID,:END_ID,:TYPE\n0,1,has_symptom\n0,5,has_symptom\n", "links.csv")
    build_graph([nodes, links], tmp_path / "kg")
    graph = KnowledgeGraph.open(tmp_path / "kg")
    assert list(graph.names) == ["咳嗽", "肺炎"]
    assert graph.types() == ["symptom", "disease"]
    rejects = [json.loads(line) for line in (tmp_path / "kg/rejects.jsonl").read_text().splitlines()]
    assert [(one["reason"], one["file"], one["line"]) for one in rejects] == [
        ("unused_columns", "nodes.csv", 1),
        ("unknown_node", "links.csv", 3),
    ]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("@prefix : <http://x/> .\n:肺炎 :检查 :血常规 .\n", "Turtle"),
        ("CREATE (a:Disease {name:'肺炎', x:1, y:2})\n", "Cypher"),
        ("INSERT INTO t VALUES ('肺炎','临床表现','咳嗽');\n", "SQL"),
        ('<?xml version="1.0"?>\n<rdf:RDF>a,b,c</rdf:RDF>', "XML"),
    ],
)
def test_other_languages_are_refused_by_name(write, tmp_path: Path, content: str, named: str) -> None:
    with pytest.raises(ZhongjingError, match=f"this is {named}; export it as CSV"):
        build_graph([write(content)], tmp_path / "kg")


@pytest.mark.parametrize(
    ("names", "relation", "inverted"),
    [
        ("hasSymptom has_symptoms Symptoms 疾病的症状 SymptomAndSign 典型症状 disease_symptom", "临床表现", False),
        ("treatedBy treated_with recommand_drug 疾病使用药品 常用药物 medications", "适应症", True),
        ("indications may_treat 功能主治 用于治疗", "适应症", False),
        ("side_effects has_adverse_reaction 毒副作用", "不良反应", False),
        ("contraindications 忌用 contraindicated_with", "禁忌", False),
        ("drug-drug_interactions interacts_with 配伍禁忌", "药物相互作用", False),
        ("accompany_with acompany 疾病并发疾病 complications", "并发症", False),
        ("疾病所需检查 need_check diagnosed_by", "检查", False),
        ("疾病所属科目 belongs_to", "就诊科室", False),
        ("is_symptom_of symptom_of", "临床表现", True),
        ("is_caused_by 疾病病因 high_risk_factors", "病因", False),
        ("drugs_of 生产", "生产企业", True),
    ],
)
def test_a_relation_is_known_in_its_many_spellings(names: str, relation: str, inverted: bool) -> None:
    for name in names.split():
        found = resolve(name)
        assert (found.relation.name, found.inverted) == (relation, inverted), name
