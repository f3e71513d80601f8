"""One vocabulary of relations: names in Chinese and English, their direction, and what stands at their ends.

The canonical names are those of CMeKG (http://cmekg.pcl.ac.cn); the synonyms are those of CMeIE, QASystemOnMedicalKG
and the English names that circulate.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

import msgspec

from kg.records import EntityType

INDICATION = "适应症"
CONTRAINDICATION = "禁忌"
INTERACTION = "药物相互作用"
ADVERSE = "不良反应"
SYMPTOM = "临床表现"
EXAMINATION = "检查"
DEPARTMENT = "就诊科室"
COMPLICATION = "并发症"
CAUSE = "病因"
TREATMENT = "治疗"
INGREDIENT = "成份"
SITE = "发病部位"
SUSCEPTIBLE = "多发群体"
RECOMMENDED_FOOD = "宜吃"
AVOIDED_FOOD = "忌吃"
SYNONYM = "同义词"
RELATED = "相关"
SUITABLE = "适用人群"
TOGETHER = "联合用药"


class Relation(msgspec.Struct, frozen=True, kw_only=True):
    """A canonical relation. `names` mean the same, `inverses` the same read backwards, both separated by blanks.

    A symmetric relation is stored once, the smaller name first. The weights say how much an end tells about the
    type of what stands there: most things a drug is for are diseases, but fever is still a symptom.
    """

    name: str
    subject: EntityType | None = None
    object: EntityType | None = None
    names: str = ""
    inverses: str = ""
    symmetric: bool = False
    subject_weight: int = 6
    object_weight: int = 3


class Resolved(msgspec.Struct, frozen=True):
    """What a file's relation name means: the canonical relation, and whether subject and object change places."""

    relation: Relation
    inverted: bool


def _of_disease(name: str, object_type: EntityType, names: str, inverses: str = "") -> Relation:
    return Relation(name=name, subject="disease", object=object_type, names=names, inverses=inverses)


def _of_drug(name: str, object_type: EntityType, names: str, inverses: str = "") -> Relation:
    return Relation(name=name, subject="drug", object=object_type, names=names, inverses=inverses)


VOCABULARY = (
    Relation(
        name=INDICATION,
        subject="drug",
        object="disease",
        names="适应证 适应病症 主治 主治疾病 主治功能 功能主治 治疗疾病 用于治疗 可治疗 适用于 to_treat treats treat "
        "indication may_treat used_for indicated_for",
        inverses="药物治疗 治疗药物 治疗药品 用药治疗 用药 使用药品 使用药物 常用药 常用药品 常用药物 推荐药 推荐药品 "
        "推荐药物 好评药品 treated_by treated_with may_be_treated_by common_drug recommand_drug recommend_drug drug "
        "drug_therapy drug_treatment medication",
        object_weight=1,
    ),
    Relation(
        name=CONTRAINDICATION,
        subject="drug",
        object="disease",
        names="禁忌症 禁忌证 禁用 忌用 禁用人群 禁忌人群 禁用于 不宜用于 contraindication contraindicated_for "
        "contraindicated_in contraindicated_with",
        inverses="禁用药 禁用药物 禁忌药物 contraindicated_drug",
        object_weight=1,
    ),
    Relation(
        name=INTERACTION,
        subject="drug",
        object="drug",
        names="相互作用 药物间相互作用 配伍禁忌 interacts_with interaction drug_interaction drug_drug_interaction ddi",
        symmetric=True,
        object_weight=6,
    ),
    Relation(
        name=SUITABLE,
        subject="drug",
        object="group",
        names="适宜人群 适合人群 适用对象 suitable_for",
        object_weight=1,
    ),
    Relation(
        name=TOGETHER,
        subject="drug",
        object="drug",
        names="联用 合用 配伍 combined_with combination",
        symmetric=True,
        object_weight=6,
    ),
    _of_drug(
        ADVERSE,
        "symptom",
        "副作用 毒副作用 药物不良反应 药品不良反应 adverse_reaction adverse_drug_reaction adverse_effect side_effect",
        "adverse_reaction_of adverse_effect_of side_effect_of",
    ),
    _of_drug(
        INGREDIENT,
        "ingredient",
        "成分 组成 组成成分 药物成份 药物成分 主要成份 主要成分 ingredient active_ingredient component",
    ),
    _of_drug("用法用量", "advice", "用法 用量 dosage usage"),
    _of_drug("药理作用", "advice", "药理 作用机制 pharmacology"),
    _of_drug("生产企业", "other", "厂家 厂商 生产厂家 生产商 manufacturer", "生产 生产药品 drugs_of"),
    _of_disease(
        SYMPTOM,
        "symptom",
        "症状 的症状 临床症状 临床症状及体征 症状及体征 症状表现 典型症状 常见症状 主要症状 体征 表现 表现为 "
        "contains_symptom symptom symptom_and_sign clinical_manifestation manifestation",
        "symptom_of 症状对应疾病 可能疾病",
    ),
    _of_disease(
        EXAMINATION,
        "examination",
        "检查项目 检查方法 诊断检查 诊断方法 所需检查 实验室检查 影像学检查 辅助检查 组织学检查 内窥镜检查 筛查 "
        "need_check check_item check examination laboratory_examination requires_exam diagnosed_by diagnostic_test",
        "checked_for check_for 检查对应疾病",
    ),
    _of_disease(
        DEPARTMENT,
        "department",
        "科室 所属科室 所属科目 就诊科目 治疗科室 挂号科室 推荐科室 cure_department department belongs_to_department "
        "belongs_to belong_to",
        "科室疾病 department_of",
    ),
    _of_disease(
        COMPLICATION,
        "disease",
        "并发 并发疾病 伴随疾病 complication_to complication acompany accompany acompany_with accompany_with "
        "accompanies",
    ),
    _of_disease(
        CAUSE,
        "cause",
        "致病因素 致病原因 发病原因 发病机制 诱因 高危因素 风险评估因素 遗传因素 caused_by due_to etiology "
        "pathogenesis high_risk_factor",
        "lead_to leads_to causes 导致 引起 引发",
    ),
    _of_disease(
        TREATMENT,
        "treatment",
        "治疗方法 的治疗方法 治疗的方法 治疗方案 治疗方式 治疗手段 疗法 cure_way cureway treatment treatment_program "
        "therapy",
    ),
    _of_disease("手术治疗", "treatment", "手术 surgery operation"),
    _of_disease("辅助治疗", "treatment", "adjuvant_therapy"),
    _of_disease("化疗", "treatment", "chemotherapy"),
    _of_disease("放射治疗", "treatment", "放疗 radiotherapy"),
    _of_disease(SITE, "body_part", "部位 病变部位 患病部位 解剖部位 body_part location site located_in"),
    _of_disease("转移部位", "body_part", "外侵部位 metastasis_site"),
    _of_disease(
        SUSCEPTIBLE,
        "group",
        "易感人群 多发人群 好发人群 高发人群 易发人群 患病人群 easy_get susceptible_group high_risk_group "
        "multiple_groups",
    ),
    _of_disease("病原体", "pathogen", "病原 致病菌 pathogen"),
    _of_disease("传播途径", "other", "传播方式 传染方式 感染途径 传染性 get_way spread_way transmission"),
    _of_disease("预防", "advice", "预防措施 prevention"),
    _of_disease("预后", "other", "预后状况 预后生存率 治愈率 cured_prob prognosis"),
    _of_disease("治疗周期", "other", "cure_lasttime treatment_duration"),
    _of_disease("发病率", "other", "患病比例 get_prob incidence"),
    _of_disease("病理分型", "disease", "分型 subtype pathological_type"),
    _of_disease("鉴别诊断", "disease", "differential_diagnosis"),
    _of_disease(
        RECOMMENDED_FOOD,
        "food",
        "宜食 宜吃食物 可以吃 推荐吃 推荐食谱 饮食宜 recommand_eat recommend_eat do_eat good_food recommend_food",
    ),
    _of_disease(AVOIDED_FOOD, "food", "忌食 忌吃食物 不可以吃 忌口 饮食忌 not_eat no_eat bad_food avoid_food"),
    _of_disease("分类", "other", "种类 category"),
    _of_disease("相关导致", "disease", "相关(导致)"),
    _of_disease("相关转化", "disease", "相关(转化)"),
    Relation(name="相关症状", object="symptom", names="相关(症状) related_symptom"),
    Relation(name="相关疾病", object="disease", names="related_disease", object_weight=2),
    Relation(name=RELATED, names="相关的 related_to related associated_with", symmetric=True),
    Relation(name="注意事项", object="advice", names="注意 precaution precautions"),
    Relation(
        name=SYNONYM,
        names="同义 别名 中文别名 别称 又名 又称 俗称 简称 英文名 英文名称 商品名 通用名 alias synonym also_known_as",
    ),
)

_TYPE_NAMES: dict[EntityType, str] = {
    "disease": "疾病 疾病名称 病 病症 诊断 disease diseases dis",
    "drug": "药物 药品 药 西药 中药 中成药 drug drugs medicine dru",
    "symptom": "症状 疾病症状 临床表现 体征 症状体征 symptom symptoms sym",
    "examination": "检查 检查项目 检验 检验检查 诊疗技术 examination check checks test ite",
    "treatment": "治疗 诊疗 手术治疗 其他治疗 手术 治疗方法 器械 设备 treatment cure procedure equ pro",
    "department": "科室 科目 department departments dep",
    "body_part": "部位 身体 身体部位 解剖部位 器官 body body_part bod",
    "group": "人群 群体 社会学 group population",
    "cause": "病因 原因 cause etiology",
    "ingredient": "成份 成分 ingredient",
    "food": "食物 食品 菜谱 food foods",
    "pathogen": "病原体 微生物 微生物类 病毒 细菌 pathogen mic",
    "advice": "建议 注意事项 advice",
    "other": "其他 其它 流行病学 预后 药品商 生产商 producer other",
}

TYPE_LABELS: dict[EntityType, str] = {kind: names.split()[0] for kind, names in _TYPE_NAMES.items()}
"""What a type is called in Chinese."""

_CAMEL = re.compile("(?<=[a-z])(?=[A-Z])")
_IDLE = re.compile("^(?:has|is|contains|disease)_|^疾病的?")
_GROUP_ENDS = (
    "妇 妇女 儿童 婴儿 幼儿 婴幼儿 新生儿 早产儿 老年人 老人 人群 患者 病人 女性 男性 青少年 者 孕期 哺乳期 妊娠期"
)
_DISEASE_ENDS = (
    "病 炎 症 癌 瘤 综合征 高血压 低血压 贫血 结核 梗死 梗塞 骨折 溃疡 湿疹 荨麻疹 哮喘 癫痫 结石 "
    "硬化 衰竭 感冒 流感 痛风 甲亢 甲减"
)


@lru_cache(1_000)
def resolve(name: str) -> Resolved:
    """The meaning of a file's relation name; a relation outside the vocabulary is kept under its own name."""
    return _found(name) or Resolved(Relation(name=name.strip()), False)


@lru_cache(10_000)
def is_known(name: str) -> bool:
    """Whether a relation name is in the vocabulary."""
    return _found(name) is not None


def _found(name: str) -> Resolved | None:
    """The meaning of a name as it is, or without what says no more than that it is a relation of a disease
    (`hasSymptom`, `side_effects`, 疾病所需检查)."""
    key = _key(_CAMEL.sub("_", name))
    for plain in (key, key.removesuffix("s"), _IDLE.sub("", key), _IDLE.sub("", key).removesuffix("s")):
        if plain in _by_name():
            return _by_name()[plain]
    return None


def relation_of(name: str) -> Relation:
    """The relation of a canonical name."""
    return resolve(name).relation


def type_of(name: str | None) -> EntityType | None:
    """The entity type behind a file's own type name, None where it is unknown."""
    return _by_type_name().get(_key(name)) if name else None


def is_group(name: str) -> bool:
    """Whether a name speaks of people (孕妇, 严重肝功能不全者) and not of an illness."""
    return name.endswith(_ends(_GROUP_ENDS))


def sounds_like_disease(name: str) -> bool:
    """Whether a name is built as names of illnesses are, though it may be listed as a symptom of others too."""
    return name.endswith(_ends(_DISEASE_ENDS))


@cache
def _ends(words: str) -> tuple[str, ...]:
    return tuple(words.split())


def _key(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().lower().replace(" ", "_").replace("-", "_")


@cache
def _by_name() -> dict[str, Resolved]:
    table: dict[str, Resolved] = {}
    for relation in VOCABULARY:
        for name in (relation.name, *relation.names.split()):
            table[_key(name)] = Resolved(relation, False)
        for name in relation.inverses.split():
            table[_key(name)] = Resolved(relation, True)
    return table


@cache
def _by_type_name() -> dict[str, EntityType]:
    return {_key(name): kind for kind, names in _TYPE_NAMES.items() for name in names.split()}
