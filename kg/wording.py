"""The words that phrases are made of, as parts of regular expressions over skeletons (see `kg.phrases`)."""

from __future__ import annotations

DENIED = "不|别|勿|忌|禁|没|无|非|慎|停|避免|除了|除非|以外|之外|而不是|代替|替代|戒|过敏"
IF = "如果|若|一旦|万一|(?<!主)要是|假如"
HELPS = "以防|缓解|改善|治|减轻|控制|预防|防止|消除|退|减少|降低"
NOT_STATED = f"{DENIED}|{IF}"
NOT_RECOMMENDED = (
    f"{DENIED}|尽量少|少[吃用喝]|可能(?!会)|怀疑|排除|[吃用服打喝做](?:过|了(?!,)|完|的)|引起(?!的)|副作用|不良反应"
    "|考虑(?!用|使用|吃|服|[^A-Z]*[,:])"
)
NOT_GIVEN_BOTH = f"{DENIED}|或"
NOT_FORBIDDEN = (
    "乱|一起|一块|同时|合用|过量|多|随便|自行|长期|盲目|擅自|大量|随意|空腹|继续|马上|立即|突然|停|自己|单独|光|只(?!有)|仅|(?<![A-Z])[和与跟]"
    "|一直|超过|轻易|滥|并非|不是(?!很)|没有(?!特)|除了|除非"
)
NO_EFFECT = f"没|无|不(?!良|适)|{HELPS}|{IF}"
NOT_CAUSED = f"{NOT_STATED}|{HELPS}"
NOT_BAD = f"没(?!有?(?:关系|事|问题))|{IF}|不(?!要紧)"
NOT_NEEDED = "不用|不需要|没必要|无需|不必|不要|不能|暂不|不建议"
NEVER = "(?!)"

FILL = "[^A-Z,、。可能用吃服不没无禁会是有为建要治引导致做查挂看但而则若如果]"
_LINKS = "或者|或是|以及|还有|等|又|且|加上"
_GOING_ON = "(?:而且|并且|同时|常常?|还会?|也会?|甚至|并)?伴?有?"
_UNKNOWN = f"(?:、{FILL}{{1,7}})*"
SEPARATOR = f"(?:{FILL}{{0,3}}{_UNKNOWN}(?:[、/,和及或与跟+]|{_LINKS}|,?{_GOING_ON})+{FILL}{{0,4}})"
_PLAIN = f"(?:{FILL}{{0,3}}{_UNKNOWN}(?:[、/和及或与跟+]|{_LINKS}|{_GOING_ON})+{FILL}{{0,4}})"
_OF_PEOPLE = "病史|患者|病人|人群|妇女|女性|期间|人|者|期|时|引起|导致|所致|合并|伴|有|患|得了?|出现|发生|了|的"
JOINT = f"(?:{SEPARATOR}|(?:{_OF_PEOPLE}|,)*)"
"""Between names that all have the same said of them: 怀孕期间头痛."""
PLAIN_JOINT = f"(?:{_PLAIN}|(?:{_OF_PEOPLE})*)"
PEOPLE = "(?:的?(?:患者|病人|人群|人|朋友|妇女|女性|期间|期|时候|时|者|情况|话|急性发作|发作|急性期|病史|了|得厉害))*"
USE = (
    "(?:口服|服用|外用|使用|应用|加用|选用|选择|注射|静滴|静脉滴注|涂抹|外涂|含服|吸入|吃|喝|用|服|涂|抹|喷|滴|打|输|给予|予以|给|补充|选|换成|换用|改用|改吃"
    "|开(?!始|水))"
)
MAY = (
    "(?:可以|建议您?|推荐|应该|应当|需要|能够|首选|可|应|宜|能|要|先|最好|考虑|适合|请|放心|遵医嘱|按时|继续|同时|配合|给孩子|给宝宝|给"
    "|您|你|就|也|都|还|是|直接|适当|一般|通常|常|多|酌情|必要时|立即|及时|尽早|长期|平时)"
)
SOME = (
    "(?:点儿?|一点|些|一些|一[片粒颗包支]|药|药物|上|的药|含有|比如|例如|像|的是|的话|儿童|小儿|一下|几天|一种|两种"
    "|、|:)?"
)
FORBID = (
    "(?:不能够?|不可以|不可|不得|不宜|不要|不应该|不应|不适合|不适宜|不建议|不推荐|不主张|不允许|禁止|禁用|忌用|禁服|忌服|禁忌|严禁|禁"
    "|切勿|切忌|勿|忌|千万别|别|避免)"
)
FORBID_USE = f"{FORBID}(?:口服|服用|使用|应用|注射|外用|吃|用|服|打|涂|喝)?"
FORBID_FOR = (
    "(?:禁用于|禁止用于|不能用于|不可用于|不适用于|不宜用于|忌用于|不得用于|不能给|不适合|不推荐给?|不建议给?"
    "|禁忌(?:症|证|人群)?(?:主要)?(?:有|是|包括|为|:)?|的禁忌[症证]?(?:主要)?(?:有|是|包括|为|:)?)"
)
BOTH = "(?:一起|一块儿?|同时|合用|合在一起|同服|联用|联合|并用|混用|混着|混合|同用)"
ALLOWED = "(?:可以|能|可|建议|需要|应该)"
OFTEN = (
    "(?:会|可能|可以|可|能|容易|易|常见|常常?|偶尔|偶有|有时候?|往往|多|主要|一般|也|还|通常|大多|个别人?|有可能"
    "|都|比较|最)"
)
ALSO = "(?:和|与|跟|加|加上|联合|配合|合并|[+]|,?同时(?:口服|服用|使用|吃|用|加用))"
EFFECTIVE = (
    "(?:有效|有作用|有帮助|有用|管用|[很是]?安全|有[^A-Z,]{0,5}(?:效果|疗效|作用)"
    "|效果(?:很|比较|较|也|都|最|更)?(?:不错|好|明显))"
)
CAUSED = "(?:引起|导致|造成|所致|引发|诱发)"
CONFIRM = "(?:排除|排查|确诊|明确|诊断|看看?|判断|了解|筛查|发现|鉴别|除外|评估|确定)"
END = "(?=[的了啊呀哦吧。,;!]|就|$)"
BE = "(?:有|是|为|包括|就是|如|:|主要|以|表现)+"


def gap(most: int) -> str:
    """Up to that many characters, no name and no comma among them."""
    return f"[^A-Z,]{{0,{most}}}?"


def pause(before: int, after: int) -> str:
    """Words that may go over a comma."""
    return f"[^A-Z]{{0,{before}}}?,?[^A-Z,]{{0,{after}}}?"


def many(letters: str, joint: str = SEPARATOR) -> str:
    """A list of names with these letters; the parts are atomic, so that a long list costs no more than its length."""
    one = f"[{letters}](?:[(][^()]{{0,12}}[)])?"
    return f"{one}(?>{joint}{one})*(?:等(?:症状|表现|情况|药物?|疾病|不适|问题)?)?"


DRUG, TEST = f"(?P<s>{many('D')})", f"(?P<o>{many('E')})"
FINDING = f"(?:{FILL}{{1,6}}、)*(?P<o>{many('F')})"
FOR, FORBIDDEN_FOR = f"(?P<o>{many('FG', JOINT)})", f"(?P<o>{many('FG', PLAIN_JOINT)})"
ILL = "(?P<s>F)"
FOOD = f"(?P<o>{many('O')})"
EITHER = "(?P<o>[DO])"
