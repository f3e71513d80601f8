"""Personal data goes, medicine stays."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.privacy.deidentify import deidentify, deidentify_texts
from corpus.privacy.personal import identity_number_is_valid, luhn_is_valid
from corpus.sets import read_dialogues

IDENTITY = "110101199203070024"
CARD = "6222021234567894"

PERSONAL = [
    ("我手机19900001234，打这个", "19900001234"),
    ("电话：199-0000-1234", "199-0000-1234"),
    ("+86 199 0000 1234", "199 0000 1234"),
    ("家里座机010-55501234", "010-55501234"),
    ("（0571）87654321", "87654321"),
    ("热线400-123-4567", "400-123-4567"),
    (f"身份证{IDENTITY}", IDENTITY),
    (f"号码是{IDENTITY}吗", IDENTITY),
    ("身份证号：110101199203070029", "110101199203070029"),
    (f"银行卡{CARD}", CARD),
    (f"打到{CARD}", CARD),
    ("邮箱 lin.tang@example.com", "lin.tang@example.com"),
    ("加微信qinghe_lan92", "qinghe_lan92"),
    ("微信号是：wx123456", "wx123456"),
    ("+V qinghe_doc", "qinghe_doc"),
    ("请加我wxid_abcd1234ef", "wxid_abcd1234ef"),
    ("QQ 900012345", "900012345"),
    ("见https://example.com/a/b?c=1，谢谢", "example.com"),
    ("网页example.com/soy", "example.com"),
    ("住院号ZY0098123", "ZY0098123"),
    ("病历号是 20230517086", "20230517086"),
    ("2023年5月17日做的手术", "5月17日"),
    ("2023-05-17 10:20检查", "05-17"),
    ("2023.5.17查的", "5.17"),
    ("23年5月17号", "5月17"),
    ("二〇二三年五月十七日", "五月十七"),
    ("我爷爷92岁", "92"),
    ("奶奶一百零二岁了", "一百零二"),
    ("老人九十三岁", "九十三"),
    ("在青禾市第三人民医院看的", "青禾市"),
    ("去北京协和医院", "协和"),
    ("在仁爱医院做的", "仁爱"),
    ("附近青禾儿童医院的", "青禾"),
    ("在柳河县中医院抓药", "柳河县"),
    ("柳河县医院和市中医院都去过", "市中医院"),
    ("我叫赵文博，男，35", "赵文博"),
    ("我儿子李子轩今年3岁", "李子轩"),
    ("家父赵国栋，男，70岁", "赵国栋"),
    ("姓名：王小丽", "王小丽"),
    ("我家小孩叫周子沐，1岁", "周子沐"),
    ("我是张伟的妈妈", "张伟"),
    ("我是李建国主任", "李建国"),
    ("昨天王医生说没事", "王医生"),
    ("您好，欧阳大夫", "欧阳"),
    ("我的主治医生是王某某", "王某某"),
    ("谢谢林女士", "林女士"),
    ("住梧桐路26号4栋301", "梧桐路26号"),
    ("家住河北省保定市莲池区", "保定"),
    ("浙江省杭州市西湖区文三路附近", "文三路"),
    ("住在阳光花园小区3号楼", "阳光花园"),
]

MEDICAL = [
    "布洛芬每次0.2g，一天3次，饭后吃",
    "血压140/90，心率88次/分，体温38.5度",
    "HBV-DNA 3.52E+05 IU/ml，ALT 120",
    "5月开始吃药，3月停的，一周三次，每月20号左右来月经",
    "2023年5月做的检查",
    "谢谢医生，谢谢大夫",
    "请您的主治医生看一下，建议看专科医生",
    "去三甲医院或当地正规医院，县医院也行",
    "最好去儿童医院、口腔医院、妇幼保健院",
    "华法林不能和阿司匹林同吃",
    "89岁，18-90岁都可以",
    "孩子高烧39度，宝宝黄疸高",
    "我是高血压患者",
    "任何医生都会这么说，相关医生也是",
    "白介素-2，维生素B12 500μg",
    "1350ml，1380000个/ml，血小板30000",
    "每天走10000步，第12345期",
    "金银花、石膏、麻黄各10g",
    "医生建议：多喝水。医生说：没事",
    "我叫了救护车",
    "病人：男，35岁。患者：女",
    "中国人民解放军的医生",
    "本人女，28岁",
    "有一个小时了，住院3天",
    "微信上卖的药，QQ里说的",
]


@pytest.mark.parametrize(("text", "secret"), PERSONAL, ids=range(len(PERSONAL)))
def test_personal_data_goes(text: str, secret: str) -> None:
    (replaced,), counts = deidentify_texts([text])
    assert secret not in replaced
    assert sum(counts.values()) >= 1


@pytest.mark.parametrize("text", MEDICAL, ids=range(len(MEDICAL)))
def test_medicine_stays(text: str) -> None:
    assert deidentify_texts([text]) == ([text], {})


def test_one_string_has_one_surrogate_in_a_dialogue() -> None:
    turns = [
        "我叫赵文博，电话19900001234",
        "赵文博您好，打199 0000 1234？",
        "不，打19900005678，找李建国医生",
        "好，李建国",
    ]
    replaced, counts = deidentify_texts(turns)
    assert replaced == [
        "我叫[患者1]，电话[电话1]",
        "[患者1]您好，打[电话1]？",
        "不，打[电话2]，找[医生1]",
        "好，[医生1]",
    ]
    assert counts == {"患者": 2, "电话": 3, "医生": 2}


def test_a_second_pass_changes_nothing_and_numbers_go_on() -> None:
    once, _ = deidentify_texts([text for text, _ in PERSONAL])
    assert deidentify_texts(once) == (once, {})
    assert deidentify_texts(["[电话1]没人接，打19900001234"])[0] == ["[电话1]没人接，打[电话2]"]


def test_known_names_are_no_people() -> None:
    text = "我叫万古霉，请找石膏主任"
    assert deidentify_texts([text], known=lambda name: name in {"万古霉", "石膏"})[1] == {}


@given(st.lists(st.text(max_size=60), max_size=4))
def test_any_text_gets_an_answer(texts: list[str]) -> None:
    replaced, _ = deidentify_texts(texts)
    assert len(replaced) == len(texts)


@given(st.integers(10**16, 10**17 - 1).map(str))
def test_identity_numbers_have_one_right_check_digit(body: str) -> None:
    body = body[:6] + "19920307" + body[14:]
    right = [digit for digit in "0123456789X" if identity_number_is_valid(body + digit)]
    assert len(right) == 1
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(body))
    assert (total + (10 if right[0] == "X" else int(right[0]))) % 11 == 1


def test_identity_numbers_need_a_real_date() -> None:
    assert identity_number_is_valid(IDENTITY)
    assert not any(identity_number_is_valid("11010119921332002" + digit) for digit in "0123456789X")


@given(st.integers(10**14, 10**15 - 1).map(str))
def test_cards_have_one_right_check_digit(body: str) -> None:
    assert sum(luhn_is_valid(body + digit) for digit in "0123456789") == 1


def test_counts_by_kind_and_no_dialogue_lost(set_of: Callable[..., Path], tmp_path: Path) -> None:
    source = set_of(["我叫赵文博，电话19900001234", "您好"], ["头疼", "多久了"])
    result = deidentify(source, tmp_path / "out")
    assert result.details == {"患者": 1, "电话": 1}
    assert (result.read, result.kept) == (2, 2)
    assert next(read_dialogues(tmp_path / "out")).messages[0].content == "我叫[患者1]，电话[电话1]"


WRITTEN_ANYHOW = [
    ("打1381234 5678或1 3 8 1 2 3 4 5 6 7 8", "电话", 2),
    ("一三八一二三四五六七八，+86 13812345678，１３８１２３４５６７８", "电话", 1),
    ("138****5678", "电话", 1),
    ("王老师您好，张阿姨推荐的，叫我小王就行", "患者", 2),
    ("患者王小明因发热入院，家属李秀英代诉", "患者", 2),
    ("我丈夫陈刚去年查出肝癌，我女儿张雨桐今年3岁", "患者", 2),
    ("张三，男，35岁，因腹痛就诊", "患者", 1),
    ("王强13912345678", "患者", 1),
    ("欧阳娜娜女士和诸葛先生", "患者", 2),
    ("我是心内科的郑伟", "医生", 1),
    ("武汉同济、北大三院、市一院、省人民医院和湖南湘雅二医院", "医院", 5),
    ("复旦大学附属华山医院，中国人民解放军总医院（301医院）", "医院", 3),
    ("湖北省黄冈市红安县七里坪镇张家湾村3组", "地址", 1),
    ("住在朝阳区建国路88号现代城5号楼1203", "地址", 1),
    ("23/5/6，五月六号，5.6号，农历八月十五", "日期", 2),
    ("男，92，高血压；我爷爷今年95了", "高龄", 2),
    ("京A12345和沪AD12345和粤B·12345", "车牌", 3),
    ("护照号E12345678", "身份证", 1),
    ("身份证号码32010219900101123X", "身份证", 1),
    ("建设银行6217 0012 3456 7890 123", "银行卡", 1),
    ("我q2233445566，企鹅号1357924680", "QQ", 2),
    ("V：lihua_1990，加我V zhangwei88，薇信li.na85", "微信", 3),
]


@pytest.mark.parametrize(("text", "kind", "count"), WRITTEN_ANYHOW, ids=range(len(WRITTEN_ANYHOW)))
def test_every_way_of_writing_it(text: str, kind: str, count: int) -> None:
    (replaced,), counts = deidentify_texts([text])
    assert counts.get(kind, 0) >= count
    assert f"[{kind}" in replaced or kind == "高龄"


def test_days_between_dates_survive() -> None:
    turns = ["2023年5月6日手术，5月20号拆线", "2023-05-03入院？", "二〇二三年五月六日"]
    assert deidentify_texts(turns)[0] == [
        "2023年[日期1]手术，[日期1后14天]拆线",
        "2023年[日期1前3天]入院？",
        "二〇二三年[日期1]",
    ]


def test_the_year_is_guessed_where_only_one_date_names_it() -> None:
    assert deidentify_texts(["2023年12月30日咳嗽，1月2号发烧"])[0] == ["2023年[日期1]咳嗽，[日期1后3天]发烧"]
    assert deidentify_texts(["13月40号，2月30日，99/13/1"])[1] == {}


def test_a_surname_stands_for_the_only_full_name() -> None:
    replaced, _ = deidentify_texts(["王建国医生好", "您好", "王医生，李医生也看过"])
    assert replaced == ["[医生1]好", "您好", "[医生1]，[医生2]也看过"]


def test_a_part_of_a_known_name_is_no_person() -> None:
    assert deidentify_texts(["患者曲马多，三天"])[1] == {"患者": 1}
    assert deidentify_texts(["患者曲马多，三天"], known=lambda name: name == "曲马多")[1] == {}
    assert deidentify_texts(["谢谢李大夫"], known=lambda name: name == "李")[1] == {"医生": 1}  # a plum in the graph
    assert deidentify_texts(["谢谢何首医生"], known=lambda name: name == "谢谢何首医生")[1] == {}
