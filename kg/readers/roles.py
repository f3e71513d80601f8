"""Under which names files keep the parts of a statement: headers of columns, keys of JSON objects."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache

ENDS = ("subject", "relation", "object")
_KEPT = 60
_DECORATION = re.compile(r"\s*\([^)]*\)$|:(?:string|int|long|float|double|boolean)(?:\[\])?$")
_WORDS = {
    "subject": "head head_entity head_name subject subject_name subj source_name sourcename x_name s h source src "
    "start start_id start_node from from_id node1 node_1 entity1 entity_1 entity_a e1 entity 头 头实体 头实体名 "
    "头实体名称 头节点 主体 主语 主实体 实体 实体1 实体一 实体a 实体名 实体名称 起点 起始实体 起始节点 开始节点 源 "
    "源实体 源节点",
    "relation": "relation relations predicate pred property p r rel relation_name relation_type relationship type "
    "edge edge_type link label attribute attr 关系 关系名 关系名称 关系类型 谓词 谓语 属性 属性名 属性名称 联系 边",
    "object": "tail tail_entity tail_name object object_name obj target_name targetname y_name o t target tgt end "
    "end_id end_node to to_id node2 node_2 entity2 entity_2 entity_b e2 value 尾 尾实体 尾实体名 尾实体名称 尾节点 "
    "客体 宾语 客实体 实体2 实体二 实体b 终点 结束实体 终止实体 结束节点 目标 目标实体 目标节点 值 属性值",
    "subject_type": "head_type subject_type s_type h_type source_type start_type entity1_type entity_1_type "
    "head_label x_type 头实体类型 头类型 主体类型 主语类型 实体1类型 起点类型 起始实体类型 源类型",
    "object_type": "tail_type object_type o_type t_type target_type end_type entity2_type entity_2_type tail_label "
    "y_type 尾实体类型 尾类型 客体类型 宾语类型 实体2类型 终点类型 结束实体类型 目标类型",
    "alias": "alias aliases synonym synonyms other_name variant 别名 别称 同义词 又名 俗称 俗名 简称",
    "canonical": "canonical canonical_name standard standard_name name entity preferred 标准名 标准名称 标准词 规范名 "
    "规范名称 正式名 正式名称 本名 名称 实体 实体名 实体名称",
}


def places_of(names: Sequence[str], roles: Sequence[str]) -> dict[str, int]:
    """Where each of the roles stands among the names: the word that comes first in the list of its role where several
    fit (a name before an id), left out where none does."""
    find = _places if len(names) <= _KEPT else _places.__wrapped__
    return dict(find(tuple(names), tuple(roles)))


@lru_cache(1_000)
def _places(names: tuple[str, ...], roles: tuple[str, ...]) -> dict[str, int]:
    keys = [key_of(name) for name in names]
    found = {}
    for role in roles:
        ranks = _ranks()[role]
        fitting = [(ranks[key], place) for place, key in enumerate(keys) if key in ranks]
        if fitting:
            found[role] = min(fitting)[1]
    return found


@lru_cache(10_000)
def key_of(name: str) -> str:
    """A header or key in one spelling: `:START_ID(Drug)` is start_id, `Head Entity` head_entity, `name:string` name."""
    plain = _DECORATION.sub("", unicodedata.normalize("NFKC", name).strip().lower()).strip(":_")
    return plain.replace(" ", "_").replace("-", "_")


@cache
def _ranks() -> dict[str, dict[str, int]]:
    return {role: {word: rank for rank, word in enumerate(words.split())} for role, words in _WORDS.items()}
