"""One vocabulary of departments for the many names that circulate."""

from __future__ import annotations

import re
from functools import cache

from corpus.records import DEPARTMENTS

_EMPTY = frozenset({"", "nan", "none", "null", "未知", "不详", "无"})

# The first rule that matches decides: special fields before the general ones whose names they contain.
_RULES: tuple[tuple[str, str], ...] = (
    ("整形|美容|整容|脱毛|雀斑|眉部|移植术", "整形美容"),
    ("家居|生活百科|保健品|营养", "家居健康"),
    ("中医|中药|针灸|推拿|按摩|民族医", "中医科"),
    ("儿科|小儿|新生儿|儿童|幼儿|儿内|儿外", "儿科"),
    ("肿瘤|癌|放疗|化疗", "肿瘤科"),
    ("妇|产科|产前|生殖中心|不孕|月经|人流|计划生育|女性", "妇产科"),
    ("男科|男性|前列腺|性功能", "男科"),
    ("皮肤|性病|皮科", "皮肤性病科"),
    ("传染|感染|肝病|乙肝|丙肝|艾滋|结核|狂犬", "传染病科"),
    ("心理|精神|心身|睡眠", "心理科"),
    ("眼|耳|鼻|喉|口腔|牙|五官", "五官科"),
    ("外科|骨|肛肠|烧伤|泌尿|脊柱|创伤|关节|乳腺|疼痛|腰肌|胸外|普外|脑外|手外", "外科"),
    (
        "内科|心血管|消化|呼吸|内分泌|神经|肾|血液|风湿|免疫|普通内|老年|胃肠|肝胆|糖尿|高血压|支气管|变态反应|急诊|全科",
        "内科",
    ),
    ("其他|其它|综合|康复|体检|药|检验|影像", "其他"),
)


@cache
def department_of(name: str | None) -> str | None:
    """The department of `DEPARTMENTS` that `name` stands for; None where it says nothing or is unknown.

    >>> department_of("传染科"), department_of("骨科"), department_of("nan")
    ('传染病科', '外科', None)
    """
    cleaned = "" if name is None else re.sub(r"\s+", "", name)
    if cleaned.lower() in _EMPTY:
        return None
    if cleaned in DEPARTMENTS:
        return cleaned
    return next((department for pattern, department in _RULES if re.search(pattern, cleaned)), None)
