"""Is it there, doubted, somebody else's, past? Sentences as patients and doctors write them."""

import pytest

from kg.graph import KnowledgeGraph
from kg.linker import EntityLinker

CASES = """
没有发烧 | 发热 n
没有发烧咳嗽 | 发热 n, 咳嗽 n
没有发烧、咳嗽和胸痛 | 发热 n, 咳嗽 n, 胸痛 n
没有明显的胸痛 | 胸痛 n
没发烧，就是咳嗽 | 发热 n, 咳嗽
没有发烧但是咳嗽 | 发热 n, 咳嗽
不发烧，有点咳嗽 | 发热 n, 咳嗽
也不咳嗽 | 咳嗽 n
否认高血压、糖尿病、冠心病病史 | 高血压 np, 糖尿病 np, 冠心病 np
否认高血压，糖尿病，冠心病 | 高血压 n, 糖尿病 n, 冠心病 n
否认糖尿病，现在咳嗽 | 糖尿病 n, 咳嗽
无明显腹痛 | 腹痛 n
未见胸膜炎 | 胸膜炎 n
不是肺炎 | 肺炎 n
已经排除了肺炎 | 肺炎 n
发烧没有，咳嗽有 | 发热 n, 咳嗽
之前有没有冠心病 | 冠心病 u
平时有没有腹痛 | 腹痛 u
家人考虑是不是有高血压 | 高血压 u
这个不是肺炎的症状吗？ | 肺炎 u
止痛药如布洛芬 | 布洛芬
如有发烧就来 | 发热 u
胸痛倒没有 | 胸痛 n
没吃布洛芬 | 布洛芬 n
没有用过阿莫西林 | 阿莫西林 n
不是没有腹痛 | 腹痛
咳嗽没有好转 | 咳嗽
咳嗽一直不好 | 咳嗽
不同医生都说是肺炎 | 肺炎
血液循环不良或者甲沟炎 | 甲沟炎
不停咳嗽 | 咳嗽
止不住咳嗽 | 咳嗽
吃了药没效果，还是发烧 | 发热
无明显诱因咳嗽 | 咳嗽
没注意保暖，咳嗽了 | 咳嗽
是不是肺炎？ | 肺炎 u
是不是肺炎 | 肺炎 u
可能是肺炎 | 肺炎 u
考虑肺炎 | 肺炎 u
不一定是鼻咽癌 | 鼻咽癌 u
不排除肺炎 | 肺炎 u
怀疑冠心病 | 冠心病 u
这是不是就是肺炎啊 | 肺炎 u
可能就是肺炎 | 肺炎 u
不是因为肺炎引起的 | 肺炎 n
有没有发烧？ | 发热 u
发烧吗？ | 发热 u
会不会是肺炎引起的咳嗽 | 肺炎 u, 咳嗽
如果发烧就吃布洛芬 | 发热 u, 布洛芬
肺炎待排 | 肺炎 u
肺炎可能性大 | 肺炎 u
咳嗽吃什么药？ | 咳嗽
发烧三天了怎么办？ | 发热
肺炎能治好吗？ | 肺炎
我妈有糖尿病 | 糖尿病 f
我妈有糖尿病，我最近头痛 | 糖尿病 f, 头痛
我妈说我是肺炎 | 肺炎
爷爷奶奶都有高血压 | 高血压 f
糖尿病家族史 | 糖尿病 f
家族中有高血压 | 高血压 f
我同事也咳嗽 | 咳嗽 o
有的人会发烧 | 发热 o
宝宝发烧了 | 发热
去年得过肺炎 | 肺炎 p
去年得过肺炎，现在咳嗽 | 肺炎 p, 咳嗽
以前有高血压、糖尿病 | 高血压 p, 糖尿病 p
高血压病史 | 高血压 p
小时候得过肺炎 | 肺炎 p
曾患胸膜炎 | 胸膜炎 p
我爸去年得过冠心病 | 冠心病 fp
并不是没有腹痛 | 腹痛
要不是肺炎就不会来 | 肺炎
可不可能是肺炎 | 肺炎 u
没有说不是肺炎 | 肺炎 u
不能说没有头痛 | 头痛
没查出来有冠心病 | 冠心病 n
没有检查出肺炎 | 肺炎 n
没被诊断过冠心病 | 冠心病 n
头痛已经没有了 | 头痛 n
家族中没有人得高血压 | 高血压 nf
木有咳嗽 | 咳嗽 n
咳嗽止住了 | 咳嗽 p
三天前开始发烧 | 发热
"""


@pytest.mark.parametrize("case", CASES.strip().splitlines())
def test_status(graph: KnowledgeGraph, case: str) -> None:
    text, _, wanted = case.partition(" | ")
    assert ", ".join(map(_written, EntityLinker(graph).link(text))) == wanted


def _written(one) -> str:
    flags = "n" * one.negated + "u" * one.uncertain
    flags += {"patient": "", "family": "f", "other": "o"}[one.experiencer] + "p" * (one.temporality == "past")
    return f"{one.entity} {flags}".strip()
