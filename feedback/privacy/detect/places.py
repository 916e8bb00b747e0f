"""Postal addresses of people behind words that introduce them: `收货地址`, `ship to`, `I live at`.

An address that nothing introduces may be a restaurant's; it is found only where it goes down to the door.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from feedback.privacy.detect.reading import DIGIT, HOUSE, Reading, Tails
from feedback.privacy.detect.shapes import Found
from feedback.privacy.detect.windows import around, found_around

HAN = "\u4e00-\u9fff"
FIRST = r"\s，,；;。上公取可发各目直给能请账退送通配邮重麻默详都寄家居常帮快我户投收改新本现派一人老联爸住奶安地"
"""With which of them an introduction begins; so the many others are passed over at once."""
INTRO = re.compile(
    rf"(?=[{FIRST}])"
    r"(?:(?P<own>(?:收货|收件|邮寄|寄件|寄送|配送|家庭|居住|联系|通讯|通信|送货|寄货|账单|户籍|退货人|取件|上门|安装"
    r"|常用|默认|详细|我家?的?|我们?家?的?|新|家里的?|现在的?|公司)地址"
    r"|现住址|家庭住址|常住地|户口所在地|住址|居住地|户籍地)(?:[^，,。；;\n]{0,6}?(?:是|为|改[成到为]|换[成到]"
    r"|变更为|填|写|在|[:：]))?\s{0,2}[:：]?\s{0,2}"
    r"|(?P<verb>(?:我|家|现|人|本人|目前|一直|老家|公司|奶奶|爸妈)(?:们)?(?:家)?(?:现在|目前|还)?(?:住在?|在"
    r"|搬到了?)|(?:帮我|请|麻烦|直接|可以|能不能|改|重新|给我|都)?(?:寄|送|发|快递|邮寄|配送|送货|寄送|派送|投递"
    r"|送餐)(?:货)?到|寄往|发往|送往)[:：\s]{0,2}"
    r"|(?P<form>(?:^|[\s，,；;。])(?:详细)?地址\s{0,2}(?:[:：]|是|为)\s{0,2}))",
)
PLACE = re.compile(
    r"[省市区县镇乡路街道巷弄村号栋幢楼室苑园寓厦里湾城旗州胡座]|小区|单元|公寓|花园|新村|大厦|广场|号院|社区|庄|郡"
)
END = re.compile(
    r"[。；;!！?？\n]|(?:[，,、\s]{1,2}(?=(?:我?的?(?:电话|手机|联系|收件人|收货人|姓名|邮编|号码|名字)|谢谢|麻烦"
    r"|请|电话|手机|联系|收件|收货|我|尽快|可以|能|什么|多久|大概|订单|别|不要|ok|\d{11}|1[3-9]\d|这|那|到|如果"
    r"|但|周|明天|今天)))"
    r"|(?:可以吗|行吗|对吗|吗|呢|吧|谢谢|多少钱|要多久|需要多久|多久能?到|有没有|怎么走|怎么去|什么时候|的话"
    r"|，收件人)"
)
HOUSE_NUMBER = re.compile(r"\d|[一二三四五六七八九十]号")
NO_PLACE = re.compile("[不没错怎哪多什吗有变能可写填已]")
"""How what follows an introduction begins where it is no address."""
LONGEST = 90
DOOR = re.compile(
    rf"[{HAN}]{{2,20}}(?:路|街|大道|巷|弄|胡同|村|小区|花园|苑|新村|社区)[{HAN}\d\-]{{0,24}}?\d{{1,5}}(?:号楼|栋"
    rf"|幢|单元|号院|号)[{HAN}\d\-]{{0,12}}?\d{{2,5}}(?:室|房|户|号)"
)
NOT_OURS = re.compile(
    r"(?:酒店|餐馆|餐厅|饭店|景点|门店|商场|店铺|医院|银行|学校|博物馆|公园|它|该店|本店|机场|车站|退货|仓库"
    r"|商家)[^，,。]{0,10}$"
)
EN_INTRO = re.compile(
    r"\b(?:(?:shipping|delivery|mailing|billing|home|street|postal|current|new|old|work|residential|my|our|his"
    r"|her|mom's|office|return)"
    r" (?:new |home |current |full |mailing |shipping |delivery |billing |street )?address(?: (?:on file"
    r"|now))?\s{0,2}(?:(?:is|to|was|:|：|=|changed to|should be|will be|as)\s{0,2}){0,2}"
    r"|address\s{0,2}[:：=]\s{0,2}|\baddress to\s{1,2}"
    r"|(?:i|we|he|she|they)(?:'m|'re| am| are| currently| now| just)? ?(?:live|lives|living|reside|resides|stay"
    r"|staying|moved)(?: now| over| in apartment \w+)? (?:at|in|to|on)\s{1,2}"
    r"|(?:ship|deliver|send|mail|forward|post|redirect|dispatch|drop|bring|courier)(?:ed)?(?: it| them| this"
    r"| that| the (?:package|parcel|order|item|replacement|box)| my (?:order|package|parcel)"
    r"| everything)?(?: off)? (?:to|at)\s{1,2}"
    r"|moving to\s{1,2}|pick (?:it|me) up (?:at|from)\s{1,2}|residence(?: is|:)\s{1,2})",
    re.I,
)
SUFFIX = (
    r"(?:street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|place|pl|square|sq|way|terrace|ter"
    r"|close|crescent"
    r"|cres|parkway|pkwy|highway|hwy|circle|cir|trail|trl|alley|row|walk|gardens|grove|mews|hill|park|plaza|loop"
    r"|path|broadway|quay)"
)
STREET = re.compile(
    rf"(?:(?i:apt|apartment|unit|suite|ste|flat|room|rm|floor|no|house)\.?\s?#?\s?[\w-]{{1,6}},?\s{{1,2}})?"
    rf"(?:\d{{1,6}}[A-Za-z]?(?:[-/]\d{{1,5}}[A-Za-z]?)?,?\s{{1,2}}(?:[NSEW]{{1,2}}\.?\s)?(?:[\w'’.\-]{{1,20}}\s{{1,2}}){{0,4}}?(?i:{SUFFIX})\b"
    rf"|[\w'’.\-]{{1,20}}\s(?:[\w'’.\-]{{1,20}}\s)?(?i:{SUFFIX})\.?\s\d{{1,5}}[A-Za-z]?\b"
    r"|[A-Z][\w'’\-]{1,24}(?:straße|strasse|str\.|gasse|weg|allee|platz|laan|straat)\s\d{1,5}[a-z]?\b"
    r"|\d{1,4},?\s(?:rue|avenue|boulevard|via|calle|place)\s[\w'’\- ]{2,30}"
    r"|(?i:p\.?\s?o\.?\s?box)\s\d{1,6}"
    r"|\d{1,6}[A-Za-z]?,?\s(?:[A-Z][\w'’\-]{1,20}[\s,]{0,2}){2,6})",
)
"""A house number and a street, a box, or a number and names."""
REST = re.compile(
    r"(?:\.(?=,| [A-Z0-9#]))?(?:[,\s]{1,2}(?:#\s?)?(?:(?i:apt|apartment|unit|suite|ste|flat|room|rm|floor|fl|bldg"
    r"|building)\b\.?"
    r"|[A-Z0-9][\w'’\-#/]{0,20}(?:(?<=\b[A-Z])\.|(?<=\b[A-Z][a-z])\.)?)){0,14}"
)
"""Words of an address that follow: numbers, and what has a capital."""
_LIVE = re.compile(r"(?:s|ing)?(?: now| over| in apartment \w+)? (?:at|in|to|on)\s")
_SEND = re.compile(
    r"(?:ed)?(?: it| them| this| that| the (?:package|parcel|order|item|replacement|box)| my (?:order|package|parcel)"
    r"| everything)?(?: off)? (?:to|at)\s"
)
TAILS_OF_LATIN: Tails = {
    "address": re.compile(r"(?<= address)|\s{0,2}[:：=]| to\s"),
    **dict.fromkeys(("live", "living", "reside", "stay", "moved"), _LIVE),
    **dict.fromkeys((
        "ship", "deliver", "send", "mail", "forward", "post", "redirect", "dispatch", "drop", "bring", "courier",
    ), _SEND),
    "moving": re.compile(r" to\s"),
    "residence": re.compile(r"(?: is|:)\s"),
    "pick ": re.compile(r"(?:it|me) up (?:at|from)\s"),
}  # fmt: skip
SIGNS_OF_LATIN = frozenset({" address", "address:", *TAILS_OF_LATIN} - {"address"})
REACH = 130
"""Characters behind a word with its tail up to the first digit of the street, at most."""
SIGNS_OF_HAN = frozenset((
    "地址", "住址", "住在", "家住", "现住", "我住", "寄", "送", "发到", "发往", "快递到", "投递到", "家在",
    "我在", "人在", "公司在", "所在地", "居住地", "户籍", "搬到", "常住",
))  # fmt: skip
"""Around these words alone each pattern is looked for."""
DOORS = frozenset("室户房号")
TO_A_DOOR = re.compile(rf"\d(?:号楼|栋|幢|单元|号院|号)[{HAN}\d\-]{{0,12}}?\d{{2,5}}(?:室|房|户|号)")
"""How a way down to a door ends."""
_HERE = frozenset(who + where for who in "我家现人前直司奶妈们在还" for where in "在住")
"""The last character of who, and the first of where."""
_OWN = ("收货", "收件", "邮寄", "寄件", "寄送", "配送", "家庭", "居住", "联系", "通讯", "通信", "送货", "寄货",
        "账单", "户籍",
        "取件", "上门", "安装", "常用", "默认", "详细", "现在", "公司")  # fmt: skip
TAILS_OF_HAN: Tails = {
    "地址": re.compile(
        "(?:" + "|".join(f"(?<={own}地址)" for own in (*_OWN, "退货人", *"我的家们新里")) + ")"
        r"|(?:(?<![\s\S]地址)|(?<=[\s，,；;。]地址)|(?<=详细地址))\s{0,2}(?:[:：]|是|为)"
    ),
    **dict.fromkeys(
        ("住址", "常住地", "所在地", "居住地", "户籍地", "搬到", "寄到", "送到", "发到", "递到", "货到", "餐到", "寄往",
         "发往", "送往", *_HERE),
    ),
}  # fmt: skip
OF_A_PERSON = frozenset(("姓名", "收件", "收货", "联系人", "手机", "邮编", "下单人", "我人", "本人"))
"""Of which a form with an address of a person has one."""


def places(reading: Reading) -> Iterator[Found]:
    """Addresses that are introduced as somebody's, and those that go down to a door."""
    text = reading.text
    if not reading.ascii:
        yield from _of_han(reading)
    if not reading.runs:
        return
    begun = [at for at, end in reading.begun(TAILS_OF_LATIN) if reading.digit_within(end, end + REACH)]
    if not begun:
        return
    for start, stop in around(reading.words, SIGNS_OF_LATIN, 24, 48):
        if any(start <= at < stop for at in begun):
            for match in EN_INTRO.finditer(text, start, stop):
                street = STREET.match(text, match.end())
                rest = street and REST.match(text, street.end())
                if rest:
                    yield Found(match.end(), rest.end(), "ADDRESS")


def _of_han(reading: Reading) -> Iterator[Found]:
    text, marks = reading.text, reading.marks
    for match in found_around(INTRO, reading, SIGNS_OF_HAN, TAILS_OF_HAN, 8, 16):
        if match["form"] and (
            not reading.holds(OF_A_PERSON) or NOT_OURS.search(text, max(0, match.start() - 24), match.start())
        ):
            continue
        start = match.end()
        found = END.search(text, start, start + LONGEST)
        end = found.start() if found else min(len(text), start + LONGEST)
        value = text[start:end].rstrip("，, 、的")
        if _is_place(value, bool(match["own"])):
            yield Found(start, start + len(value), "ADDRESS")
    houses = [at - 1 for at in reading.where(HOUSE) if marks[at - 1] == DIGIT and TO_A_DOOR.match(text, at - 1)]
    if houses:
        for first, last in around(reading.words, DOORS, 60, 1):
            if any(first <= at < last for at in houses):
                for match in DOOR.finditer(text, first, last):
                    yield Found(*match.span(), "ADDRESS")


def _is_place(value: str, own: bool) -> bool:
    marks = len(PLACE.findall(value))
    number = bool(HOUSE_NUMBER.search(value))
    if len(value) < 5 or NO_PLACE.match(value):
        return False
    return (marks >= 2 and number) or (own and marks >= 1 and (number or marks >= 2)) or marks >= 4
