"""How doctors speak of drugs: what they are for, whom they harm, what they do, what goes with what.

Each phrase stands beside an example of what it finds, written in the letters of `phrases`.
"""

from __future__ import annotations

from kg.checking.wording import (
    ALLOWED,
    ALSO,
    BE,
    BOTH,
    BOTH_OF_THEM,
    DOSE,
    DRUG,
    EFFECTIVE,
    EITHER,
    END,
    FINDING,
    FINE,
    FOR,
    FORBID,
    FORBID_FOR,
    FORBID_USE,
    JOINED,
    LEAD_TO,
    MAY,
    OFTEN,
    PEOPLE,
    PLAIN_FOR,
    SOME,
    SURELY,
    USE,
    WATCH,
    gap,
    many,
    pause,
)

INDICATIONS = {
    "F可以吃D": f"{FOR}{PEOPLE}{pause(10, 6)}{MAY}*{USE}{SOME}{gap(4)}{DRUG}",
    "F,给G吃点D": f"{FINDING}{PEOPLE}{pause(10, 4)}(?:给|让)?G{gap(4)}{USE}{SOME}{gap(4)}{DRUG}",
    "F可以用抗生素,如D": f"{FOR}{PEOPLE}{pause(10, 6)}{USE}?{gap(12)}"
    "(?:药物?|药膏|抗生素|制剂|激素|治疗|抗[^A-Z,]{1,4})[^A-Z]{0,4}"
    f"(?:如|像|包括|有|首选|常用|选|用|是|为|以|:){gap(4)}{DRUG}",
    "F首选D": f"{FOR}{PEOPLE}{gap(4)}(?:首选|优选|常用|推荐|多用|主要用){gap(4)}{DRUG}",
    "治疗F的药有D": f"(?:治疗?|救治|缓解|控制|改善|对付|针对){gap(4)}(?P<o>{many('F')})[^A-Z]{{0,12}}?"
    f"(?:用|选|是|有|药|吃|服|推荐|建议|如|像){gap(5)}{DRUG}",
    "F的话,D是首选": f"{FINDING}{PEOPLE}{pause(6, 4)}{DRUG}{gap(3)}(?:是|为|属于){gap(4)}"
    "(?:首选|常用|一线|最好|较好|有效|特效|基础|主要|主力|必须|必备|必吃|关键)",
    "F,D就行": f"{FOR}{PEOPLE}{pause(8, 6)}{DRUG}{gap(3)}(?:都|也|就)*(?:行|最好|不错|管用|好使|可以){END}",
    "F,D一天一片": f"{FOR}{PEOPLE}{pause(6, 4)}{DRUG}{gap(6)}{DOSE}",
    "D可以给G": f"{DRUG}{gap(2)}(?:可以|能|可|适合)(?:放心|安全)?(?:给|让|用来给){gap(2)}{PLAIN_FOR}",
    "D,G一次半片": f"{DRUG}{pause(6, 2)}(?P<o>G){PEOPLE}{gap(2)}{DOSE}",
    "D用于F": f"{DRUG}[^A-Z]{{0,10}}?(?:治疗|救治|用于|适用于|缓解|改善|针对|对付|减轻|主治|专治|治|控制|适合|预防"
    f"|防止){gap(6)}{PLAIN_FOR}",
    "D的适应症是F": f"{DRUG}的?(?:主要)?适应[症证](?:主要)?{BE}{gap(3)}{FINDING}",
    "D是F的常用药": f"{DRUG}{gap(3)}(?:是|为|属于){gap(3)}{FINDING}的?{gap(6)}(?:药|首选|选择)",
    "D是F必须吃的": f"{DRUG}{gap(3)}是{gap(3)}{FINDING}{gap(10)}(?:必须|必|要|得|该|常)(?:吃|用|服|打)的",
    "D对F有效": f"{DRUG}{pause(3, 2)}对于?{gap(4)}{PLAIN_FOR}{PEOPLE}{gap(6)}{EFFECTIVE}",
    "D,G也可以吃": f"{DRUG}{gap(4)},?{gap(2)}{PLAIN_FOR}{PEOPLE}{SURELY}(?:可以|能|可|适合|适用){SURELY}{USE}?"
    f"(?:这个|它)?{END}",
    "F,D要坚持吃": f"{FOR}{PEOPLE}{pause(3, 3)}{DRUG}{gap(3)}(?:要|需要?|应|得|可以)(?:坚持|长期|继续|按时|规律"
    f"|足量)+{USE}",
    "DF患者常用": f"{DRUG}[^A-Z]{{0,12}}?{PLAIN_FOR}{PEOPLE}(?:常用|首选|可用|适用)",
    "FD可以用": f"{FOR}{PEOPLE}{pause(6, 4)}{DRUG}{gap(2)}(?:是|都|也)*(?:可以|能|可)(?:放心|安全|正常|继续)*{USE}"
    f"{END}",
    "D可以退热,F时服用": f"{DRUG}[^A-Z]{{0,10}}?{FINDING}(?:时|的时候|者)可?以?(?:口服|服用?|吃|用)",
}
HARMLESS = {
    "D对G没有影响": f"{DRUG}{gap(3)}对于?{gap(2)}{PLAIN_FOR}{PEOPLE}{gap(2)}"
    "(?:没有?(?:什么|任何)?(?:影响|危害|问题|风险)|无影响|不影响|无害)",
    "G吃D没关系": f"{FOR}{PEOPLE}{gap(6)}{USE}{SOME}{gap(3)}{DRUG}{gap(6)},?{gap(4)}{FINE}",
    "D,G吃两天没问题": f"{DRUG}{gap(6)},?{gap(2)}{PLAIN_FOR}{PEOPLE}{gap(3)}{USE}{gap(6)}(?:{FINE}|挺好|很好|(?:也"
    f"|都)(?:行|可以))",
}
BANS = {
    "F病人吃D会加重": f"{PLAIN_FOR}{PEOPLE}{gap(4)}{USE}{gap(2)}{DRUG}{gap(4)}(?:会|可能|可|容易){gap(2)}(?:加重"
    f"|恶化|诱发)",
    "G吃D危险,千万避免": f"{PLAIN_FOR}{PEOPLE}{gap(3)}{USE}{gap(2)}{DRUG}[^A-Z]{{0,14}}?,(?:千万|一定|务必|绝对"
    f"|坚决)*"
    "(?:要|得)?(?:避免|别[吃用]|不能[吃用]|不可以|不行|禁止|禁用)",
    "G,D不能用": f"{PLAIN_FOR}{PEOPLE}{pause(8, 4)}{DRUG}{gap(3)}{FORBID_USE}{END}",
    "F是D的禁忌": f"{PLAIN_FOR}{gap(3)}(?:是|属于){gap(2)}{DRUG}的?{gap(3)}禁忌",
    "G禁用D": f"{PLAIN_FOR}{PEOPLE}{pause(6, 4)}{FORBID_USE}{gap(3)}{DRUG}",
    "不要给G吃D": f"{FORBID}(?:给|让|对)?{gap(2)}{PLAIN_FOR}{PEOPLE}{gap(2)}{USE}{gap(4)}{DRUG}",
    "D不能用于F": f"{DRUG}{gap(4)}{FORBID_FOR}{gap(4)}{PLAIN_FOR}",
    "D的禁忌人群有G": f"{DRUG}[^A-Z]{{0,12}}?(?:禁忌(?:人群|症|证)?|禁用人群)(?:主要)?(?:有|是|包括|为|:)+{gap(3)}"
    f"{PLAIN_FOR}",
    "DG禁用": f"{DRUG}{gap(4)},?{gap(8)}{PLAIN_FOR}{PEOPLE}{gap(3)}(?:{FORBID_USE}|不行){END}",
}
STOPS = {
    "G,D要停掉": f"{PLAIN_FOR}{PEOPLE}{pause(8, 4)}{DRUG}{gap(3)}(?:必须|要|得|应该?|需要?|赶紧|立即|马上|立刻)+"
    f"(?:先|就)?停(?:掉|用|药|服|了|$)",
    "G要停用D": f"{PLAIN_FOR}{PEOPLE}{pause(8, 4)}(?:必须|要|得|应该?|需要?|赶紧|立即|马上|立刻)+(?:先|就)?停(?:掉"
    f"|用|服){gap(2)}{DRUG}",
}
SIDE_EFFECTS = {
    "D会引起F": f"{DRUG}{gap(10)}{OFTEN}*(?:{LEAD_TO}|致|出现|产生|发生)(?!的){gap(8)}{FINDING}",
    "D容易让人F": f"{DRUG}{gap(10)}(?:会|可能会?|容易|有时会?|易|使人)(?:让[您你人])?(?:有点?|觉得|感到|变成|变得"
    f"|增加)*{gap(2)}{FINDING}",
    "D有些人吃了F": f"{DRUG}{gap(6)},?(?:有些人?|有的人?|有人|部分人|个别人|少数人|很多人|不少人)?{gap(2)}(?:吃|用"
    f"|服|含|喝|打|抹)"
    f"(?:了|完|上|后|药|久)(?:以?后|之后|期间)?(?:会|可能|容易|觉得|感到|有点|有些)*{FINDING}(?!{gap(3)}(?:好|退"
    f"|缓解|减轻|消|没))",
    "D有F的副作用": f"{DRUG}[^A-Z]{{0,10}}?{FINDING}{gap(4)}(?:这[个种些])?(?:副作用|不良反应)",
    "D后F属于正常": f"{DRUG}{gap(8)}{FINDING}{gap(2)}(?:很|比较|最|是|属于)?(?:常见|多见|正常)",
    "F是D引起的": f"{FINDING}{pause(4, 2)}(?:是|属于|与|和|跟)(?:由|因为?|吃|服用)?{gap(3)}{DRUG}{gap(4)}"
    f"(?:{LEAD_TO}|副作用|不良反应|所致|有关|闹的|惹的)",
}
TOLD_SIDE_EFFECTS = {
    "吃D要当心F": f"(?:吃|服用?|用|打){DRUG}{gap(6)}{WATCH}{gap(3)}{FINDING}",
    "D最要注意的是F": f"{DRUG}{gap(6)},?{gap(3)}(?:最|要|需|得|主要|特别|尤其|重点)+{gap(2)}(?:{WATCH}|担心|怕|防)"
    f"(?:的?就?是)?{gap(3)}{FINDING}",
    "D的副作用是F": f"{DRUG}[^A-Z]{{0,8}}?(?:副作用|不良反应|毒性){gap(6)}{BE}{gap(4)}{FINDING}",
}
CLASHES = {
    "D和D不能一起吃": f"(?P<s>D){JOINED}{EITHER}{gap(3)}{FORBID}{gap(3)}{BOTH}",
    "D不能和D一起吃": f"(?P<s>D){gap(3)}{FORBID}{gap(3)}[和与跟同]{gap(2)}{EITHER}{gap(3)}{BOTH}",
    "D期间不要喝O": f"(?P<s>D){gap(3)}(?:期间|时|后|的时候|前后|的话)?{gap(3)},?{gap(6)}{FORBID}{gap(4)}(?:喝|饮"
    f"|沾|碰){gap(2)}(?P<o>O)",
    "O后不能吃D": f"(?P<o>O){gap(4)}{FORBID}(?:再)?{USE}?{gap(3)}(?P<s>D)",
    "吃D的患者不要吃D": "(?:吃|用|服用?|口服)(?:了|着)?(?P<s>D)的?(?:患者|病人|人|期间|时候?|同时|,)(?!但|而|不过)"
    f"{gap(4)}{FORBID_USE}{gap(3)}(?P<o>D)",
    "D和D要隔开两小时": f"(?P<s>D)[^A-Z]{{0,14}}{EITHER}[^A-Z]{{0,6}}?(?:隔开|间隔|错开|岔开|分开(?:吃|服|用)"
    f"|隔[^A-Z,]{{0,4}}(?:小时|时间))",
    "D早上吃,D下午吃,两个别同时吃": f"(?P<s>D)[^A-Z]{{0,16}}{EITHER}[^A-Z]{{0,14}}?{BOTH_OF_THEM}{gap(6)}{FORBID}"
    f"{gap(3)}{BOTH}",
    "D和D二选一": f"(?P<s>D){JOINED}{EITHER}[^A-Z]{{0,6}}?(?:二选一|只能[选用吃]一[个种样])",
}
EFFECTS_ON_EACH_OTHER = {
    "D和D有相互作用": f"(?P<s>D)[和与跟及同]{EITHER}{gap(4)}(?:有|存在|会|发生|产生)+{gap(4)}(?:相互作用|冲突"
    f"|配伍禁忌)",
    "D与D合用会增加出血的风险": f"(?P<s>D){JOINED}{EITHER}{gap(2)}{BOTH}{gap(3)},?(?:会|可能|容易|有|可)?{gap(8)}"
    "(?:风险|危险|反应|中毒|毒性|出血|影响|增加)",
    "D和D同时吃,F的风险": f"(?P<s>D){JOINED}{EITHER}{gap(2)}{BOTH}{gap(3)},?F的?(?:风险|几率|可能)",
    "D会降低D的疗效": f"(?P<s>D){gap(4)}(?:增强|升高|提高|加强|降低|减弱|影响|增加|抑制|减低){gap(2)}{EITHER}的?"
    f"{gap(3)}"
    "(?:作用|疗效|效果|药效|浓度|毒性|代谢|吸收|风险)",
    "D与O会发生反应": f"(?P<s>D)[和与跟及同配加遇]{EITHER}{gap(4)}(?:会|可|容易|有|出现|发生)+{gap(6)}(?:反应|中毒"
    f"|危险)",
}
PAIRS = {
    "D和D可以一起吃": f"(?P<s>D)(?:{JOINED}|加){gap(4)}{EITHER}{gap(2)}{ALLOWED}{gap(4)}{BOTH}",
    "D可以和D一起吃": f"(?P<s>D)[^A-Z]{{0,12}}?{ALLOWED}[和与跟同]{gap(2)}{EITHER}{gap(2)}{BOTH}",
    "D跟D一起吃一年": f"(?P<s>D)[和与跟及同加配]{EITHER}{gap(1)}{BOTH}[吃用服](?:[一二两三半几1-9]+(?:年|个?月|周"
    f"|天|星期)|着)",
    "建议服用D加D": f"(?:可以|建议|推荐|应该|需要|给予|可){MAY}*{USE}{SOME}(?P<s>D){ALSO}(?P<o>D)",
    "D联合D": "(?P<s>D)(?:联合|联用|配合)(?P<o>D)",
}
HARMLESS_PAIRS = {
    "D期间可以喝O": f"(?P<s>D){gap(3)}(?:期间|时)?(?:可以|能|可){gap(3)}(?:喝|饮){gap(1)}(?P<o>O)",
    "D和D联用效果好": f"(?P<s>D)(?:{JOINED}|加){EITHER}{gap(2)}{BOTH}{USE}?{gap(2)}{EFFECTIVE}",
    "吃D的人可以加用D": "(?:吃|用|服用?|口服)(?:了|着)?(?P<s>D)的?(?:患者|病人|人|期间|时候?|同时)"
    f"{gap(4)}(?:可以|能|建议){gap(3)}{USE}{gap(3)}{EITHER}",
    "D喝点O没关系": f"(?P<s>D){gap(4)}{EITHER}{gap(2)}(?:没关系|没事|没问题|不要紧)",
    "D配D一起吃就行": f"(?P<s>D)(?:{JOINED}|[加配]|搭配){gap(4)}{EITHER}{gap(8)}{BOTH}{gap(4)}(?:就行|可以|挺好"
    f"|都行|也行|{FINE})",
    "D配上D,两样同服没关系": f"(?P<s>D)[^A-Z]{{0,14}}{EITHER}[^A-Z]{{0,6}}?{BOTH_OF_THEM}{gap(4)}{BOTH}?{gap(4)}"
    f"(?:就行|可以|{FINE})",
}
CONTENTS = {
    "D含有I": f"(?P<s>D){gap(4)}(?:含有?|成[分份]{gap(2)}(?:是|有|为|包括|:)){gap(6)}(?P<o>{many('DI')})",
}
