"""Messages with personal values at known places, and harmless ones that look alike, by seed.

The wordings are for judging: the detectors' tables were not written from them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from feedback.privacy.detect.checks import WEIGHTS


@dataclass(frozen=True, slots=True)
class PersonalRow:
    """A text and its values as (start, end, kind); none in a harmless text."""

    text: str
    values: tuple[tuple[int, int, str], ...] = ()


Chance = random.Random
SURNAMES, GIVEN = "王李张刘陈杨赵黄周吴徐孙朱马胡林郭何高罗", "伟芳娜敏静丽强磊洋艳勇军杰娟涛明超秀霞平刚桂"
FIRST = "James Mary Robert Linda Wei Aisha Carlos Yuki Fatima Olga Liam Chloe Raj Ingrid Pedro".split()  # noqa: SIM905
LAST = "Smith Johnson Garcia Müller Tanaka O'Brien Kowalski Nguyen Rossi Haddad Lindqvist Okafor Patel".split()  # noqa: SIM905
WORDS = "copper lantern quiet meadow orbit velvet thunder pickle harbor saddle window tulip granite".split()  # noqa: SIM905
CITIES = ("北京市海淀区", "广东省深圳市福田区", "江苏省苏州市工业园区", "四川省成都市锦江区", "湖北省武汉市洪山区")
ROADS = ("学院路", "深南大道", "星湖街", "春熙路", "珞喻路", "解放东路")
STREETS = ("Maple Street", "Kings Road", "Elm Avenue", "Harbour View Drive", "Lincoln Blvd", "Church Lane")
TOWNS = ("Portland, OR 97201", "Leeds LS1 4AB", "Austin, TX 78701", "Toronto, ON M5V 2T6", "Boston, MA 02108")
PHRASES = ("月落乌啼霜满天", "小桥流水人家", "床前明月光", "春江潮水连海平", "大漠孤烟直")
SAID = dict(zip("0123456789", "zero one two three four five six seven eight nine".split(), strict=True))  # noqa: SIM905
NUMERALS = dict(zip("0123456789", "零一二三四五六七八九", strict=True))
SPOKEN = dict(zip("0123456789", "洞幺二三四五六拐八九", strict=True))


def _digits(chance: Chance, n: int) -> str:
    return "".join(chance.choice("0123456789") for _ in range(n))


def _group(text: str, sizes: tuple[int, ...], gap: str) -> str:
    parts, at = [], 0
    for size in sizes:
        parts.append(text[at : at + size])
        at += size
    return gap.join(parts)


def _mobile(chance: Chance) -> str:
    return "1" + chance.choice("3456789") + _digits(chance, 9)


def _mobile_written(chance: Chance) -> str:
    digits = _mobile(chance)
    return chance.choice((
        digits, _group(digits, (3, 4, 4), " "), _group(digits, (3, 4, 4), "-"), "+86 " + digits, "+86-" + digits,
        "0086 " + digits, "".join(chr(ord(c) + 0xFEE0) for c in digits), "86" + digits,
    ))  # fmt: skip


def _nanp(chance: Chance) -> str:
    a, b, c = str(chance.randrange(201, 790)), str(chance.randrange(201, 999)), _digits(chance, 4)
    return chance.choice((f"{a} {b} {c}", f"{a}-{b}-{c}", f"({a}) {b}-{c}", f"+1 {a} {b} {c}", f"{a}.{b}.{c}"))


def _abroad(chance: Chance) -> str:
    return chance.choice((
        f"+44 7{_digits(chance, 3)} {_digits(chance, 6)}", f"+49 30 {_digits(chance, 8)}",
        f"07{_digits(chance, 3)} {_digits(chance, 6)}",
        f"+33 6 {_group(_digits(chance, 8), (2, 2, 2, 2), ' ')}", f"+852 9{_digits(chance, 3)} {_digits(chance, 4)}",
        f"+81-90-{_digits(chance, 4)}-{_digits(chance, 4)}",
    ))  # fmt: skip


def _luhn(body: str) -> str:
    total = sum(int(d) if i % 2 else int(d) * 2 - 9 * (int(d) > 4) for i, d in enumerate(reversed(body)))
    return body + str(-total % 10)


def _card(chance: Chance) -> str:
    head, length = chance.choice((("6222", 19), ("6217", 19), ("4539", 16), ("5425", 16), ("6225", 16), ("622848", 19)))
    digits = _luhn(head + _digits(chance, length - len(head) - 1))
    sizes = (4, 4, 4, 4, 3) if length == 19 else (4, 4, 4, 4)
    return chance.choice((digits, _group(digits, sizes, " "), _group(digits, sizes, "-")))


def _resident(chance: Chance) -> str:
    born = f"{chance.randrange(1955, 2006)}{chance.randrange(1, 13):02}{chance.randrange(1, 29):02}"
    body = chance.choice(("110105", "310104", "440305", "510104")) + born + _digits(chance, 3)
    number = body + "10X98765432"[sum(int(c) * w for c, w in zip(body, WEIGHTS, strict=True)) % 11]
    return chance.choice(
        (number, _group(number, (6, 8, 4), " "), _group(number, (6, 4, 4, 4), " "), _group(number, (6, 8, 4), "-"))
    )


def _email(chance: Chance) -> str:
    local = chance.choice((".", "_", "")).join(chance.sample(WORDS, 2))
    return f"{local}{chance.randrange(9)}@{chance.choice(('gmail.com', 'qq.com', 'mail.co.uk', '163.com'))}"


def _email_said(chance: Chance) -> str:
    at, dot = chance.choice(((" at ", " dot "), (" [at] ", " [dot] "), ("(at)", "(dot)"), (" AT ", " DOT ")))
    host = chance.choice(("gmail", "outlook", "example", "corp")) + dot + chance.choice(("com", "org", "net"))
    return f"{chance.choice(WORDS)}{chance.randrange(99)}{at}{host}"


def _email_han(chance: Chance) -> str:
    return f"{chance.choice(WORDS)}@{chance.choice(('例子.中国', '某公司.公司', '测试.网络', '商店.中国'))}"


def _ip(chance: Chance) -> str:
    if chance.random() < 0.25:
        return f"2001:db8:{chance.randrange(4096):x}::{chance.randrange(1, 65535):x}:1"
    return f"{chance.randrange(128, 223)}.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"


def _plate(chance: Chance) -> str:
    mixed = f"{_digits(chance, 2)}K{_digits(chance, 2)}"
    tail = chance.choice((_digits(chance, 5), chance.choice("ABDEF") + _digits(chance, 5), mixed))
    return chance.choice("京沪粤苏浙川") + chance.choice("ABCDE") + chance.choice(("", "·", " ")) + tail


def _name_en(chance: Chance) -> str:
    return f"{chance.choice(FIRST)} {chance.choice(LAST)}"


def _name_zh(chance: Chance) -> str:
    return chance.choice(SURNAMES) + "".join(chance.choice(GIVEN) for _ in range(chance.choice((1, 2, 2))))


def _address_en(chance: Chance) -> str:
    unit = chance.choice(("", ", Apt 4B", ", Unit 12", " #5"))
    return f"{chance.randrange(1, 2000)} {chance.choice(STREETS)}{unit}, {chance.choice(TOWNS)}"


def _address_zh(chance: Chance) -> str:
    high, inner = f"{chance.randrange(1, 30)}栋{chance.randrange(101, 2500)}室", f"{chance.randrange(1, 9)}单元301"
    door = chance.choice(("", high, inner))
    return f"{chance.choice(CITIES)}{chance.choice(ROADS)}{chance.randrange(1, 900)}号{door}"


def _iban(chance: Chance) -> str:
    body = _digits(chance, 18)
    check = 98 - int(body + "131400") % 97
    return _group(f"DE{check:02}{body}", (4, 4, 4, 4, 4, 2), chance.choice((" ", "")))


MAKE: dict[str, tuple[str, Callable[[Chance], str]]] = {
    "mobile": ("phone", _mobile_written),
    "nanp": ("phone", _nanp),
    "abroad": ("phone", _abroad),
    "said": ("phone", lambda c: " ".join(SAID[d] for d in f"{c.randrange(201, 790)}555{_digits(c, 4)}")),
    "numeral": ("phone", lambda c: "".join(c.choice((NUMERALS, SPOKEN))[d] for d in _mobile(c))),
    "card": ("card", _card),
    "resident": ("id", _resident),
    "passport": ("id", lambda c: c.choice("EGD") + _digits(c, 8)),
    "account": ("account", lambda c: c.choice((_digits(c, 8), _digits(c, 12), _group(_digits(c, 12), (4, 4, 4), " ")))),
    "email": ("email", _email),
    "email_said": ("email", _email_said),
    "email_han": ("email", _email_han),
    "ip": ("ip", _ip),
    "plate": ("plate", _plate),
    "iban": ("iban", _iban),
    "phrase": ("password", lambda c: " ".join(c.sample(WORDS, 4))),
    "phrase_zh": ("password", lambda c: c.choice(PHRASES)),
    "password": ("password", lambda c: f"{c.choice(WORDS).title()}{c.choice('@#_!')}{_digits(c, 3)}k"),
    "name": ("name", _name_en),
    "name_zh": ("name", _name_zh),
    "address": ("address", _address_en),
    "address_zh": ("address", _address_zh),
    "qq": ("id", lambda c: str(c.randrange(10**7, 10**10))),
    "wechat": ("id", lambda c: f"{c.choice(WORDS)}_{_digits(c, 3)}"),
}  # fmt: skip
"""Name of a slot -> kind of the value, and how one is made."""
PERSONAL = """
Hi there, you can get hold of me on {mobile} after six.
Could somebody ring {nanp} about the sofa?
Best number for me is {nanp}, thanks!
If the courier gets lost he should call {abroad}.
My cell is {said}, please ring.
Please charge it to {card} instead.
I paid with the card {card} and was billed twice.
The refund goes to account {account}, please confirm.
bank account number: {account}
Our IBAN would be {iban} for the transfer.
Drop me a line at {email} when it ships.
My mail is {email_said}, no caps.
You can write to {email_said} any time.
Someone logged in from {ip}, that was not me!
The server at {ip} refuses my connection
My passport number is {passport} if you need it.
my passphrase is {phrase}, is that safe?
The passphrase: {phrase}
I set the password to {password} yesterday
password: {password}
Good evening, my name is {name} and my parcel is late.
Name: {name}. Please look it up.
Hello, I'm {name}, I ordered last week.
Under the name of {name}, table for two.
Please deliver to {address}, ring twice.
My new address is {address}. Please update it.
I live at {address}
Shipping address: {address}
您好，请打我手机{mobile}，谢谢
我换号了，新号码{mobile}，麻烦改一下
电话：{mobile}，微信同号
联系电话是{numeral}，晚上打
打{numeral}找我
退款退到{card}这张卡上
我的银行卡号是{card}
身份证号码：{resident}，请核实
证件号{resident}
实名信息 {resident} 有问题
护照是{passport}，机票能出吗
收款账号：{account}
发到我的邮箱{email_han}
邮件请寄{email}
异地登录的IP是{ip}，不是我
我的车{plate}停在楼下
车牌号{plate}能开电子发票吗
我的密码是{phrase_zh}，登录不上
口令：{phrase_zh}
登录密码：{password}
你好，我叫{name_zh}，想问下物流
收件人：{name_zh}，电话{mobile}
联系人是{name_zh}
本人{name_zh}申请退货
收货地址：{address_zh}，收件人{name_zh}
请帮我把收货地址改成{address_zh}
我住在{address_zh}，能送货上门吗
麻烦寄到{address_zh}
加我QQ{qq}吧
我的微信号是{wechat}
"""
HARMLESS = """
My order {long} has not arrived yet.
Order no. {eleven} was cancelled on {date}.
订单{eleven}怎么还没到
订单编号{long}，{date}下的单
The total came to {amount}, not {amount2}.
一共消费了{eleven}元
本月营业额{eleven}元
预算是{eleven}美元
收入 {eleven}.00
我们的客服热线是400-{three}-{four}
请致电客服热线 95{three}
You can call our hotline 1-800-{three}-{four} day and night.
Please contact customer service at 800-{three}-{four}.
本店电话：0571-8{three}{four}，欢迎来电
The tracking number is {long}.
快递单号SF{long}在哪
ISBN 978-7-{three}-{five}-1
SKU {eight}, size 42
Version 12.{n}.{n}.{n} was released on {date}.
会议时间 {date} 13:00-15:30
What is {eleven} divided by 7?
计算{eleven}+{eight}等于几
2 的 31 次方是 2147483648
运单号 {long} 已签收
The password is wrong, can you reset it?
密码不对，登录不上
密码是几位数的
我叫的外卖还没到
我是新来的，怎么注册
收货地址可以修改吗
I'm Happy with it
Do you ship to Germany?
My name is spelled wrong on the label.
The serial number is {eight}{four}.
取件码{four}
验证码收不到
The code on the box says {three}-{three}-{three}.
圆周率是3.14159265358979
The meeting is in room {four} at 10:30.
优惠券满{three}减50
邮编100084，要多久到
Our shop is open from 9 to 18, seven days a week.
The plate was broken when it arrived.
I saw it at the mall, dot.
三百二十五加一百等于多少
one two three four five, testing
身份证照片怎么上传
发票代码{twelve}
transaction id {long}
There are {eleven} atoms in it.
播放量 {eleven} 次
"""
SLOT = re.compile(r"\{(\w+)\}")


def generated(seed: int, n: int) -> Iterator[PersonalRow]:
    """`n` rows, half of them harmless; the same ones for a seed."""
    chance = random.Random(seed)
    personal, harmless = PERSONAL.strip().splitlines(), HARMLESS.strip().splitlines()
    for i in range(n):
        yield (
            _filled(chance.choice(personal), chance)
            if i % 2
            else PersonalRow(_harmless(chance.choice(harmless), chance))
        )


def _filled(line: str, chance: Chance) -> PersonalRow:
    text, values, at = "", [], 0
    for slot in SLOT.finditer(line):
        kind, make = MAKE[slot.group(1)]
        text += line[at : slot.start()]
        value = make(chance)
        values.append((len(text), len(text) + len(value), kind))
        text, at = text + value, slot.end()
    return PersonalRow(text + line[at:], tuple(values))


def _harmless(line: str, chance: Chance) -> str:
    numbers = {name: _digits(chance, n) for name, n in (("four", 4), ("five", 5), ("eight", 8), ("twelve", 12))}
    filling: dict[str, str] = {
        **numbers,
        "eleven": _mobile(chance),
        "long": _digits(chance, chance.choice((12, 15, 16, 18))),
        "three": str(chance.randrange(200, 999)),
        "n": str(chance.randrange(255)),
        "amount": f"{chance.randrange(1, 9999)}.{_digits(chance, 2)}",
        "amount2": f"${chance.randrange(9, 999)}",
        "date": f"2024-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
    }
    return SLOT.sub(lambda slot: filling[slot.group(1)], line)
