"""Dialogues that teach nothing, left out for a named reason each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import msgspec

from corpus.records import Dialogue
from corpus.sets import Drop, SetWriter, StageResult, plan_step
from corpus.steps import Change, map_step, one_by_one
from corpus.turns import is_courtesy
from corpus.unsafe import ALL, Unsafe, unsafe_kind
from foundation.text import everyday_share

STAGE = "filter"

Count = Annotated[int, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class FilterOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Thresholds. Lengths are in characters; shares are of letters or of Han characters, from 0 to 1.

    `max_sales_marks` different words of selling, of at least two kinds (contact, hotline, link, price, promise of cure,
    trade), make an advertisement. `unsafe` are the kinds of unsafe content left out.
    """

    min_patient_chars: Count = 2
    min_doctor_chars: Count = 2
    min_chars: Count = 8
    min_han_share: Share = 0.3
    max_strange_share: Share = 0.05
    min_everyday_share: Share = 0.5
    max_sales_marks: Count = 3
    unsafe: list[Unsafe] = msgspec.field(default_factory=lambda: list(ALL))


_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_SURROGATE = re.compile(r"\[(?:[A-Z]+|(?:[\u4e00-\u9fff]{2,4}|QQ)\d+(?:[前后]\d+天)?)\]")
_STRANGE = re.compile(r"[\ufffd\u0080-\u009f\ue000-\uf8ff\u25a0\u25a1]|锟斤拷|烫烫|屯屯|锘|ï»¿|â€|Ã.|å[\u0080-\u00bf]")
_SALES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?:加|添加|关注)(?:我|一下)?(?:的)?(?:微信|v信|薇信|威信|vx|wx|qq|公众号|扣扣|客服)|扫码|扫.{0,4}二维码|\[(?:微信|QQ)\d+\]",
        r"(?:拨打|咨询|服务|免费|订购|预约)(?:热线|电话)|热线[：:]|\[电话\d+\]",
        r"\[网址\d+\]|https?://|www\.|点击(?:链接|购买|下方|进入)|淘宝|天猫|拼多多|官网|旗舰店",
        r"优惠|特惠|特价|打折|折扣|促销|原价|现价|立减|限时|抢购|包邮|下单|名额有限|买[一二三\d]+送[一二三\d]+|仅需\d+元|只要\d+元",
        r"祖传|秘方|包治|根治率|治愈率(?:高达|达到?)|无效退款|签约治疗|永不复发|药到病除|百分之百治愈|神药",
        r"免费(?:领取|试用|赠送|领)|领取(?:红包|优惠|礼品)|代理|加盟|招商|厂家直销|货到付款|诚招",
    )
)
_MEDICAL = re.compile(
    "痛|疼|痒|肿|胀|麻|晕|吐|泻|咳|喘|烧|热|炎|癌|瘤|血|病|药|症|医|治|疗|诊|检查|化验|手术|怀孕|孕|月经|胎|乳|牙|眼|耳|鼻|喉|嗓|胃|肠|肝|肾"
    "|心|肺|骨|皮|肤|尿|便|痔|疮|疹|斑|痘|疣|瘙|湿|过敏|感染|细菌|病毒|失眠|睡|焦虑|抑郁|减肥|体重|血压|血糖|针|疫苗|营养|维生素|素|性生活|阴|精|宝宝|孩子"
    "|婴|阳|酶|毫克|mg|超声|指标|发育|身体|头|腰|腿|手|脚|胸|腹|肚|背|颈|脖|指|趾|唇|舌|脸|发|食|吃|喝|饮|康复|保健|健康|\\[MASK\\]"
)


class Filter(msgspec.Struct, frozen=True):
    """The step, by its thresholds."""

    options: FilterOptions

    def start(self) -> Change:
        """Nothing to open."""

        def change(dialogue: Dialogue, _writer: SetWriter) -> Dialogue | Drop:
            return reason_against(dialogue, self.options) or dialogue

        return one_by_one(change)


def filter_dialogues(
    source: Path,
    out: Path,
    *,
    options: FilterOptions | None = None,
    processes: int | None = None,
    reuse: bool = False,
) -> StageResult:
    """Leave out what teaches nothing: reasons of `reason_against`."""
    chosen = options or FilterOptions()
    plan = plan_step(STAGE, source, msgspec.to_builtins(chosen))
    return map_step(plan, out, Filter(chosen), processes=processes, reuse=reuse)


def reason_against(dialogue: Dialogue, options: FilterOptions) -> Drop | None:
    """The first reason to leave a dialogue out, or None.

    In this order: `no_doctor_turn`, `garbled`, `not_chinese`, `unsafe_content`, `advertisement`, `goodbye_only`,
    `too_short`, `nothing_medical`.
    """
    patient = [message.content for message in dialogue.messages if message.role == "user"]
    doctor = [message.content for message in dialogue.messages if message.role == "assistant"]
    text = "\n".join((*patient, *doctor))
    if not doctor:
        return Drop("no_doctor_turn")
    if _garbled(text, options):
        return Drop("garbled")
    if not _is_chinese(text, options.min_han_share):
        return Drop("not_chinese")
    unsafe = unsafe_kind(dialogue.messages)
    if unsafe in options.unsafe:
        return Drop("unsafe_content", unsafe)
    if _sells(text, options):
        return Drop("advertisement")
    if all(map(is_courtesy, patient)):
        return Drop("goodbye_only")
    thin = _thin(patient, doctor, options)
    return Drop(thin) if thin is not None else None


def _thin(patient: list[str], doctor: list[str], options: FilterOptions) -> str | None:
    asked, answered = sum(map(len, patient)), sum(map(len, doctor))
    if asked < options.min_patient_chars or answered < options.min_doctor_chars:
        return "too_short"
    if asked + answered < options.min_chars:
        return "too_short"
    return None if _MEDICAL.search("".join((*patient, *doctor))) else "nothing_medical"


def _sells(text: str, options: FilterOptions) -> bool:
    marks = [found for pattern in _SALES if (found := {match.group() for match in pattern.finditer(text)})]
    return len(marks) > 1 and sum(map(len, marks)) >= options.max_sales_marks


def _garbled(text: str, options: FilterOptions) -> bool:
    strange = sum(len(found) for found in _STRANGE.findall(text))
    return strange > options.max_strange_share * len(text) or everyday_share(text) < options.min_everyday_share


def _is_chinese(text: str, min_share: float) -> bool:
    """Whether enough letters are Han characters; surrogates such as [医生1] and [MASK] aside."""
    bare = _SURROGATE.sub("", text)
    han = len(bare) - len(_HAN.sub("", bare))
    if han >= min_share * len(bare):
        return True
    return han >= min_share * sum(map(str.isalpha, bare))
