"""The words that tell whether a finding is there, whose it is and when: for `kg.assertion`.

The longest cue at a place counts, so that 不同 and 没有好转, listed as look-alikes, hide the 不 and 没有 in them.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from typing import Any


class Cue(IntEnum):
    """What a cue does to the mentions after it, in its clause unless said otherwise."""

    LOOK_ALIKE = 0
    NEGATION = 1
    DENIAL = 2
    """A negation that goes on over a list with commas."""
    BARE_NEGATION = 3
    """不, 没, 无, 未: only close by."""
    ABSENT = 4
    """Behind the mention: 阴性."""
    UNCERTAIN = 5
    DOUBTED = 6
    """Behind the mention: 待排."""
    ASKED = 7
    """吗 or 么 at the end of a clause."""
    FAMILY = 8
    """For the rest of the sentence."""
    FAMILY_HISTORY = 9
    """On both sides."""
    OTHER = 10
    """For the rest of the sentence."""
    SELF = 11
    PAST = 12
    HISTORY = 13
    """Behind the mention: 病史."""
    NOW = 14
    STOP = 15
    COMMA = 16
    QUESTION = 17
    SENTENCE = 18


CUES: dict[Cue, str] = {
    Cue.LOOK_ALIKE: """
        不同 不良 不但 不仅 不过 不舒服 不适 不好 不足 不知道 不知 不断 不停 不规律 不规则 不稳 不稳定 不畅 不全
        不清 不清楚 不明 不明显 不佳 不振 不均 不均匀 不平衡 不协调 不调 不正常 不满 不便 不久 不少 不多 不大 不小
        不错 不想 不想吃 不愿 不敢 不爱 不住 不止 不只 不得不 不能不 不如 不管 不论 不要紧 不用担心 不客气 不好意思
        不好受 不起 不了 不着 不到 不下 不出 不动 不太好 不太舒服 不怎么好 不行 不对 不必 不必担心 不一 不一样
        不严重 不重 不见好 不见好转 不见效 不缓解 不消退 不退 不愈 不减 不改善 不及时 不注意 不当 不洁 不净 不宜
        不应 不建议 不推荐 不允许 不需要 不用 不可 不可以 不能 不能吃 不能用 不要 不得 不准 不许 不是没有 并非没有
        不是不 不会没有 不能没有 没有不 无不 无法 无论 无效 无关 无所谓 无明显诱因 无诱因 无明显好转 无好转 无缓解
        无明显缓解 没有好转 没有缓解 没有减轻 没有效果 没有改善 没有加重 没有消退 没有好 没有完全好 没有什么好转
        没有明显好转 没有明显缓解 没有明显效果 没有什么效果 没什么效果 没什么好转 没好 没好转 没见好 没好利索 没效果
        没缓解 没减轻 没改善 没事 没关系 没问题 没想到 没多久 没办法 没法 没用 没注意 没在意 没管 没睡好 没休息好
        没吃饭 没吃药 没食欲 没胃口 没精神 没力气 没劲 没有食欲 没有胃口 没有精神 没有力气 没有办法 没有吃药
        没有用药 没有治疗 没有问题
        没有关系 没有注意 没有休息好 没有及时 没及时 未及时 未愈 未缓解 未好转 未见好转
        未见缓解 未来 未必能 未婚 未育 未成年 未知 未经 非常 除非 非得 非要 没完 没完没了 没怎么睡 没怎么吃 没睡
        没来 没来月经 没排便 没大便 没有大便 没有排便 不拉 不排便 不大便 不来月经 不吃药 不吃 不消化 可能性小
        考虑一下 考虑考虑 什么 怎么 例如 比如 譬如 如何 如下 怕冷 怕热 怕风 怕光 可怕 哪怕 那么 这么 多么 要么 吗啡
        吗丁啉 我们医院 我们医生 说过 我国 自我 我妈说 我爸说 妈妈说 爸爸说 我妈妈说 我爸爸说 家人说 父母说 朋友说
        同事说 别人说 老公说 我老公说 家长 家庭 家里有事 家族性 过去了 曾经说 以前面 史上 历史 近视""",
    Cue.NEGATION: """
        不是因为 并不是因为 并非因为 不是由于
        没有 并没有 也没有 都没有 从没有 从来没有 没有过 没有出现 没有发现 没有什么 没见 未见 未见明显 未发现 未出现
        未闻及 未及 未触及 未诉 未查见 未提示 不是 并不是 也不是 不会是 不像 不像是 不属于 不算 并非 而非 不存在
        不考虑 不支持 不伴 不伴有 不合并 不含 已排除 排除了 可排除 可以排除 基本排除 并无 没得过 没有得过 没患过
        没出现 没发现 没有患过 从未 从来没 毫无 没任何 没有任何 非典型""",
    Cue.DENIAL: "否认 否认有 否认曾有 均否认 无明显 均无",
    Cue.BARE_NEGATION: """
        不 没 无 未 也不 也没 也无 都不 都没 不会 不再 不太 不怎么 没怎么 没啥 没什么 没再 未再 无任何 未曾 不曾""",
    Cue.ABSENT: "阴性 (-) 已排除 被排除 不存在 均正常 未见异常",
    Cue.UNCERTAIN: """
        是不是就是 会不会就是 可能就是 应该就是 不会就是
        是不是 是不是有 是否 是否有 是否为 是否是 有没有 有无 会不会 会不会是 能不能 能否 可否 可不可以 要不要
        该不该 用不用 需不需要 算不算 属不属于 有没有可能 可能 可能是 可能有 有可能 有可能是 很可能 很可能是 可能为
        也可能 可能会 可能性 也许 或许 大概 大概是 估计 估计是 恐怕 恐怕是 疑似 怀疑 怀疑是 疑为 疑诊 拟诊 考虑
        考虑是 考虑为 考虑有 首先考虑 多考虑 初步考虑 不排除 不能排除 不除外 不能除外 除外 未排除 还没排除 排除
        需要排除 需排除 要排除 排除一下 以排除 来排除 先排除 为了排除 像是 好像是 好像 似乎 似乎是 看起来像 貌似
        应该是 应该不是 不一定 不一定是 不一定有 未必 未必是 不确定 不确定是 不确定是不是 不知道是不是 不知道是否
        倾向于 倾向 如果 如果是 如果有 如有 如出现 如是
        要是 若 若是 若有 假如 假使 倘若 万一 一旦 的话 担心 担心是 害怕 害怕是
        怕是 怕 生怕 以为 以为是 还以为是 以免 避免 防止 预防 谨防 警惕""",
    Cue.DOUBTED: """
        待排 待查 待除外 待排除 可能性大 可能性较大 可能性很大 可能大 的可能 的可能性 可能 不除外 不能排除 不排除
        没有排除 未排除 可疑 的嫌疑""",
    Cue.ASKED: "吗 么 嘛 没有吗 是吗 是吧 对吗 对吧 对不对 是不是呢",
    Cue.FAMILY: """
        我妈 我妈妈 妈妈 母亲 我母亲 我爸 我爸爸 爸爸 父亲 我父亲 父母 我父母 爷爷 我爷爷 奶奶 我奶奶 外公 外婆 姥姥
        姥爷 我姥姥 我外婆 我外公 祖父 祖母 外祖父 外祖母 哥哥 我哥 姐姐 我姐 弟弟 我弟 妹妹 我妹 兄弟 姐妹 兄弟姐妹
        叔叔 伯伯 姑姑 姨妈 舅舅 阿姨 老公 我老公 丈夫 我丈夫 妻子 我妻子 老婆 我老婆 爱人 我爱人 配偶 家人 我家人
        家里人 亲人 亲戚 家属 直系亲属 一级亲属 岳父 岳母 公公 婆婆""",
    Cue.FAMILY_HISTORY: "家族史 家族遗传史 家族病史 家族中 家族里 家族 遗传史",
    Cue.OTHER: """
        别人 其他人 他人 朋友 我朋友 同事 我同事 同学 我同学 邻居 室友 舍友 有的人 有些人 很多人 有人 一般人
        大部分人 大多数人 部分人 有的患者 有些患者 部分患者 很多患者 有的病人 有些病人 多数患者 大部分患者
        大多数患者 一些患者 一些人 部分病人""",
    Cue.SELF: "我 本人 自己 我自己 患者 患儿 病人 他自己 她自己 您 你",
    Cue.PAST: """
        去年 前年 大前年 以前 以前有 以前有过 以前得过 曾经 曾 曾有 曾患 曾患有 曾得过 曾经有 曾经得过 既往 既往有
        既往史 既往患 过去有 过去得过 小时候 小的时候 幼时 年轻时 得过 患过 有过 之前得过 之前有过 之前有 之前也有
        早年 几年前 多年前 年前 好几年前 上次 上一次 上回 从前 原来有 原来得过 当年 前些年 早些年 前几年 儿时 年幼时
        上学时 个月前""",
    Cue.HISTORY: "史 病史 既往史 手术史 过敏史 的病史 已治愈 已痊愈 治愈了 痊愈了 好了 已经好了 治好了 术后",
    Cue.NOW: "现在 目前 最近 近来 近期 今天 今年 这次 这几天 这两天 如今 眼下 现 近日 昨天 刚刚 此次 现有",
    Cue.STOP: """
        但 但是 可是 只是 就是 而是 反而 却 只有 然而 伴有 伴 偶有 偶尔 有时 仅有 仅 只 而且有 导致 引起 因为
        所以 除了 以外 之外 时 的时候 后 就 才""",
    Cue.COMMA: "， , ： : ; ； （ ( ） ) | ~",
    Cue.QUESTION: "？ ?",
    Cue.SENTENCE: "。 ！ ! \\n . …",
}

_ASKING = {"是": "不是", "有": "没有", "会": "不会", "能": "不能"}


@cache
def cue_table() -> tuple[Any, list[Cue], list[str]]:
    """The automaton over all cues in normalised spelling, the kind of each pattern, and the patterns.

    A cue listed under two kinds keeps the first. One that ends like a question begins gives way to the question:
    之前有 to 之前有没有.
    """
    import daachorse

    from kg.normalise import normalise

    kinds: dict[str, Cue] = {" ": Cue.COMMA}
    for kind, words in CUES.items():
        for word in words.split():
            kinds.setdefault(normalise(word.replace("\\n", "\n")).text, kind)
    for word in list(kinds):
        for end, asked in _ASKING.items():
            if word.endswith(end):
                kinds.setdefault(word + asked, Cue.UNCERTAIN)
    patterns = sorted(kinds)
    automaton = daachorse.CharwiseDoubleArrayAhoCorasick(patterns, daachorse.MATCH_KIND_LEFTMOST_LONGEST)
    return automaton, [kinds[pattern] for pattern in patterns], patterns
