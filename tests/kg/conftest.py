"""A small graph of our own, built once."""

import json
from pathlib import Path

import pytest

from kg.building.build import build_graph
from kg.graph import KnowledgeGraph

TRIPLES = """head,relation,tail
阿莫西林,适应症,急性扁桃体炎
阿莫西林,适应症,肺炎
阿莫西林胶囊,适应症,肺炎
布洛芬,适应症,发热
布洛芬,适应症,头痛
布洛芬,禁忌,孕妇
布洛芬,禁忌,胃溃疡
布洛芬,不良反应,恶心
对乙酰氨基酚,适应症,发热
阿司匹林,禁忌,儿童
阿司匹林,药物相互作用,华法林
甲硝唑,禁忌,妊娠期妇女
氢氯噻嗪,禁忌,痛风
甲氧氯普胺,适应症,呕吐
甲氧氯普胺,禁忌,乳腺癌
高血压,药物治疗,硝苯地平
肺炎,临床表现,发热
肺炎,临床表现,咳嗽
肺炎,检查,胸部X线
肺炎,就诊科室,呼吸内科
肺炎,并发症,胸膜炎
肝癌,临床表现,腹痛
原发性肝癌,临床表现,腹痛
2型糖尿病,临床表现,多饮
糖尿病,临床表现,多饮
冠心病,临床表现,胸痛
鼻咽癌,临床表现,鼻塞
甲沟炎,临床表现,红肿
塞泽里综合征,临床表现,细胞
高血压,注意事项,低盐饮食，规律服药
"""
ALIASES = {"发烧": "发热", "扑热息痛": "对乙酰氨基酚", "胸片": "胸部X线", "消心痛": "硝苯地平", "调节": "华法林"}


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    folder = tmp_path_factory.mktemp("graph")
    (folder / "graph.csv").write_text(TRIPLES, encoding="utf-8")
    (folder / "aliases.json").write_text(json.dumps(ALIASES, ensure_ascii=False), encoding="utf-8")
    build_graph([folder / "graph.csv"], folder / "kg", aliases=folder / "aliases.json", names=["graph.csv"])
    return KnowledgeGraph.open(folder / "kg")


@pytest.fixture
def write(tmp_path: Path):
    def _write(content: str | bytes, name: str = "graph.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return _write
