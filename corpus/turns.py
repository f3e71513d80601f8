"""What a turn is for (asking, greeting, thanking), and turns put in order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from corpus.records import Dialogue, Message

_SPEAKERS = {"user": "患", "assistant": "医", "system": "系统"}
_NOISE = re.compile(r"[^\w]+|_")
_WHO = "医生|大夫|医师|主任|老师|专家|您|你|真的|非常|十分|太|很|多|啊|呀|啦|了|哦|哈|呢|咯|喽|嘞|哇|嘛|吧|亲|的"
_GREETING = "(?:您|你|大家|医生|大夫)好|(?:早上|上午|中午|下午|晚上)好|早安|hello|hi|hey|哈喽|嗨|在吗|在不在|在么|好"
_OFFER = (
    r"请问|欢迎咨询|很?高兴(?:能|可以)?为(?:您|你)(?:服务|解答|解惑)|我是\w{0,8}?(?:医生|大夫|医师|主任)"
    r"|(?:有|需要)?(?:什么|啥|哪方面|哪些)?(?:问题|病情)?(?:需要|可以|能|想)?(?:帮助|帮忙|帮到|帮|咨询)(?:您|你|我)?(?:的|吗|呢|么)?"
    r"|(?:有)?(?:什么|哪里|哪儿|啥)(?:不舒服|不适|问题|症状|需要)?(?:可以|能|需要)?(?:吗|呢|的)?|怎么(?:了|啦)|吗|么"
    r"|请(?:您|你)?(?:详细|具体)?(?:描述|说明|说|介绍)(?:一下|下)?(?:您|你)?的?(?:病情|情况|症状)"
)
_THANKS = (
    r"谢谢|谢了|谢啦|多谢|感谢|感激不尽|感激|万分|辛苦|麻烦|3q|thanks|thx|thank you|不客气|不用谢|不用客气|没关系|没事"
    r"|拜拜|再见|bye|祝(?:您|你|医生|大夫)?\w{0,14}|打扰|劳烦|费心|谢"
)
_ACK = (
    "好的|好嘞|好滴|好吧|好呀|好|嗯|恩|额|哦|噢|喔|唔|行|可以|知道|明白|清楚|了解|收到|懂|ok|okay|是的|是|对的|对"
    "|我|都|那|先|就|已经|一定|会|这样|没有问题|没问题|没有|没|问题|暂时|其他|别的|这下"
)
_ADVICE_TAKEN = (
    r"(?:按照?|遵照?|听|照|根据|谨遵|参考)\w{0,10}(?:建议|嘱咐|医嘱|意见|说的|方法|指导|指示|要求|话|做|治疗|处理|执行)"
    r"|(?:要|多|再)?(?:好好|继续|认真|密切|及时|定期|加强|积极)?(?:注意|观察|配合|坚持|尝试|试试|试一试|考虑|调整|休息|预约)\w{0,14}"
    r"|解答|回答|回复|建议|帮助|帮忙|耐心|指导|指点|关心|讲解|解释|提醒|安慰|鼓励|支持|详细|及时|意见|医嘱|答复|服务|咨询"
)
_COURTESY = re.compile(f"{_ADVICE_TAKEN}|{_THANKS}|{_GREETING}|{_ACK}|{_WHO}")
_HELLO = re.compile(f"{_GREETING}|{_OFFER}|{_THANKS}|{_WHO}")
_THANKING = re.compile(_THANKS)

_QUESTION = re.compile(
    r"[?？]|[吗嘛么呢][\s。！!，,…~～]*$|[吗么][，,。！!]|\w不[\s。！!]*$|什么|怎么|怎样|如何|为什么|为何|为啥|咋|(?<!没)多[久长]|多少|(?<![这前那好过头后有就近])几[天次](?![了前后来吧没就的，,。])|哪"
    r"|可不可以|有没有|需不需要|严不严重|要紧不|是否|能否|可否"
    r"|([\u4e00-\u9fff])不\1|先\w{1,8}还是|请问|请教|求(?:助|医生|帮|推荐|指教)|请医生|麻烦医生|想知道|想问|想了解|想(?:电话)?咨询|帮我|啥|请(?:您|你)?.{0,4}(?:解释|说明|介绍|讲讲|推荐|建议)"
)
_POLITE_QUESTION = re.compile(
    r"(?:没有?|无)(?:其他|别的|什么|啥)?问题|(?<!不)(?:知道|明白|清楚)(?:该|要)?(?:怎么|如何)\w{1,2}了|没什么|没啥"
    r"|(?:如果|若|以后|将来)[^。！!?？]{0,14}(?:问题|疑问|不适|变化)[，,]?我?还?(?:可以|能|能否)[^。！!?？，,]{0,8}(?:咨询|请教|联系)[^。！!?？，,]{0,4}[?？]"
)
_COMPLAINT = re.compile(
    "痛|疼|痒|肿|胀|麻|晕|吐|泻|咳|喘|烧|热|发炎|出血|流血|难受|不舒服|不适|症状|失眠|乏力|没劲|便秘|拉肚子|红疹|疙瘩|溃疡"
    "|过敏|加重|复发|恶化|查出|确诊|检查|诊断|手术|怀孕|月经|例假|吃药|服药|用药|病|痘|痰|屑|反酸|打嗝|嗳气|水泡|鼻塞|鼻涕|脱发|掉发|头发"
    "|抑郁|自杀|焦虑|心慌|胸闷|气短|气促|出汗|大便|小便|尿|白带|红点|斑|硬块|肿块|息肉|结节|囊肿|肥胖|黄疸|见红|哭闹|一直哭|不肯|不爱|不会走|不会说|困难|听不见|看不清|越来越|咽不下|吞了|误食|摔|咬|抽筋|抽搐|发抖|无力|僵硬|酸|担心|害怕|不好|鼻血|不透气|不通气"
)
_SENTENCE = re.compile(r"[^。！!；;\n?？]+[?？]?")
# 如果还有问题我会再请教您 asks nothing; 我会不会死？ does.
_PROMISE = re.compile(
    "我(?:也|就|一定|肯定|尽快|将|再|先|尽量|好好|努力|继续|还){0,3}会(?!不会|头|咳|痛|疼|吐|晕|感到|感觉|觉得|出现|突然|经常|总)"
    "|我(?:一定|这就|先去|再去|马上|尽快)|^会(?!不会)|再(?:向您|向你|来)?(?:请教|咨询|联系|找[您你]|麻烦)"
    "|放心了|期待|有了.{0,6}(?:认识|了解|理解)|希望.{0,12}(?:好转|康复|恢复|好起来|改善|缓解|有效)"
)
_ASKS_PLAINLY = re.compile(
    r"[?？]|[吗嘛么呢][\s。！!，,…~～]*$|怎么|怎样|如何|为什么|是不是|能不能|可不可以|要不要|有没有|需不需要"
)
_ANSWERED = re.compile("^(?:嗯|恩|好|哦|行|是|对|谢|感谢|明白|知道|了解|收到)(?!.*(?:可是|但是|不过|然而))")
# Doctors often leave the mark out, and patients answer in what would complain elsewhere: 不咳嗽, 就是有点痒.
_WANTS_TO_KNOW = re.compile(
    "什么|啥|多[大久长少]|几[天次岁个点]|是否|有无|怎么样|怎样|哪|[吗么嘛呢]|情况|描述|病史|过敏史"
)
_ANSWERING = re.compile(
    r"没|不(?!舒服)|无|有(?!没有)|是(?!不是)|对|就(?!是想)|也|都|只|大概|差不多|好?几|[\d一二两三四五六七八九十半]+[天周月年个次]"
)
_BARE = re.compile("[^吃用喝别不要多先可能会去]{1,8}")
_INQUIRY = re.compile(
    r"[?？]|[吗呢么][。！!\s]*$|有没有|是不是|多久了|多长时间|(?:说|描述|讲|介绍)一?下\w{0,12}(?:症状|情况|哪里|病情|不适|不舒服)"
)


def spoken(dialogue: Dialogue) -> str:
    """A dialogue to be read by a person: a turn a line, 患： before the patient's, 医： before the doctor's."""
    return "\n".join(map(spoken_turn, dialogue.messages))


def spoken_turn(message: Message) -> str:
    """One turn with its speaker."""
    return f"{_SPEAKERS[message.role]}：{message.content}"


def is_courtesy(text: str) -> bool:
    """Whether a turn is nothing but greeting, thanks, goodbye or acknowledgement (好的谢谢, 嗯, 知道了)."""
    return not _beyond(_COURTESY, text)


def is_thanks(text: str) -> bool:
    """Whether a turn only thanks or says goodbye."""
    return is_courtesy(text) and _THANKING.search(text.lower()) is not None


def is_greeting(text: str) -> bool:
    """Whether a turn only greets or offers help (您好，请问有什么可以帮您？)."""
    return not _beyond(_HELLO, text)


def asks(text: str, *, answering: bool = False) -> bool:
    """Whether a patient's turn asks or complains of something, so that a doctor has something to answer.

    Where the doctor asked just before (`answering`), what complains is an answer, and only a question asks.

    >>> asks("好的，谢谢医生"), asks("嗯，那要吃多久？"), asks("肚子疼"), asks("肚子疼", answering=True)
    (False, True, True, False)
    """
    if is_courtesy(text):
        return False
    return any(_sentence_asks(sentence, answering=answering) for sentence in _SENTENCE.findall(text))


def asking_turns(messages: Sequence[Message]) -> list[bool]:
    """For each turn whether the patient asks in it.

    The patient's first words, unless they only greet, are why the patient came; later ones are seen against what the
    doctor said just before.
    """
    asking, before, is_first = list[bool](), "", True
    for message in messages:
        if message.role != "user":
            asking.append(False)
        elif is_first:
            asking.append(not is_courtesy(message.content))
        else:
            answering = _awaits_answer(before) or _ANSWERING.match(message.content.strip()) is not None
            asking.append(asks(message.content, answering=answering))
        is_first = is_first and (message.role != "user" or is_courtesy(message.content))
        before = message.content if message.role == "assistant" else ""
    return asking


def inquires(text: str) -> bool:
    """Whether a doctor's turn asks the patient something; an offer of help does not count."""
    return not is_greeting(text) and _INQUIRY.search(text) is not None


def _awaits_answer(text: str) -> bool:
    """Whether a doctor's turn may want to know something: it asks, or is a bare word (过敏史, 大便情况)."""
    if not text or is_courtesy(text):
        return False
    return _BARE.fullmatch(text) is not None or inquires(text) or _WANTS_TO_KNOW.search(text) is not None


def merge_turns(messages: Iterable[Message]) -> list[Message]:
    """Empty turns removed, consecutive turns of one role joined with a line feed."""
    merged: list[Message] = []
    for message in messages:
        if not message.content.strip():
            continue
        if merged and merged[-1].role == message.role:
            merged[-1] = Message(message.role, f"{merged[-1].content}\n{message.content}")
        else:
            merged.append(message)
    return merged


def repair(messages: Iterable[Message]) -> tuple[list[Message], str | None, int]:
    """Turns in the order that `Dialogue` promises; a reason where they cannot be; greetings dropped.

    A greeting of the doctor before the patient's first word is dropped. Reasons: `no_messages`,
    `misplaced_system`, `starts_with_doctor`.
    """
    merged = merge_turns(messages)
    system = [message for message in merged if message.role == "system"]
    turns = [message for message in merged if message.role != "system"]
    if not turns:
        return [], "no_messages", 0
    if len(system) > 1 or (system and merged[0].role != "system"):
        return [], "misplaced_system", 0
    if turns[0].role == "user":
        return merged, None, 0
    if len(turns) > 1 and is_greeting(turns[0].content):
        return [*system, *turns[1:]], None, 1
    return [], "starts_with_doctor", 0


def _sentence_asks(sentence: str, *, answering: bool) -> bool:
    plain = _ASKS_PLAINLY.search(_POLITE_QUESTION.sub("", sentence)) is not None
    if is_courtesy(sentence) or (_PROMISE.search(sentence) and not plain):
        return False
    if plain or _QUESTION.search(_POLITE_QUESTION.sub("", sentence)):
        return True
    return not answering and not _ANSWERED.match(sentence.strip()) and _COMPLAINT.search(sentence) is not None


def _beyond(pattern: re.Pattern[str], text: str) -> str:
    """What is left of a text when the pattern's phrases and all punctuation are taken away."""
    return _NOISE.sub("", pattern.sub("", text.lower()))
