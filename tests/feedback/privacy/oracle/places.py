"""Postal addresses of people behind words that introduce them: `收货地址`, `ship to`, `I live at`.

An address that nothing introduces may be a restaurant's; it is found only where it goes down to the door.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.feedback.privacy.oracle.shapes import Found
from tests.feedback.privacy.oracle.windows import found_around

HAN = "\u4e00-\u9fff"
INTRO = re.compile(
    r"(?P<own>(?:收货|收件|邮寄|寄件|寄送|配送|家庭|居住|联系|通讯|通信|送货|寄货|账单|户籍|退货人|取件|上门|安装"
    r"|常用|默认|详细|我家?的?|我们?家?的?|新|家里的?|现在的?|公司)地址"
    r"|现住址|家庭住址|常住地|户口所在地|住址|居住地|户籍地)(?:[^，,。；;\n]{0,6}?(?:是|为|改[成到为]|换[成到]"
    r"|变更为|填|写|在|[:：]))?\s{0,2}[:：]?\s{0,2}"
    r"|(?P<verb>(?:我|家|现|人|本人|目前|一直|老家|公司|奶奶|爸妈)(?:们)?(?:家)?(?:现在|目前|还)?(?:住在?|在"
    r"|搬到了?)|(?:帮我|请|麻烦|直接|可以|能不能|改|重新|给我|都)?(?:寄|送|发|快递|邮寄|配送|送货|寄送|派送|投递"
    r"|送餐)(?:货)?到|寄往|发往|送往)[:：\s]{0,2}"
    r"|(?P<form>(?:^|[\s，,；;。])(?:详细)?地址\s{0,2}(?:[:：]|是|为)\s{0,2})",
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
LONGEST = 90
DOOR = re.compile(
    rf"[{HAN}]{{2,20}}(?:路|街|大道|巷|弄|胡同|村|小区|花园|苑|新村|社区)[{HAN}\d\-]{{0,24}}?\d{{1,5}}(?:号楼|栋"
    rf"|幢|单元|号院|号)[{HAN}\d\-]{{0,12}}?\d{{2,5}}(?:室|房|户|号)"
)
OF_A_PERSON = re.compile(r"姓名|收件|收货|联系人|手机|邮编|下单人|[我本]人")
"""Of which a form with an address of a person has one."""
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
SIGNS_OF_LATIN = (
    " address", "address:", "live", "living", "reside", "stay", "moved", "moving", "ship", "deliver", "send",
    "mail", "forward", "post", "redirect", "dispatch", "residence", "pick ", "bring", "drop", "courier",
)  # fmt: skip
SIGNS_OF_HAN = (
    "地址", "住址", "住在", "家住", "现住", "我住", "寄", "送", "发到", "发往", "快递到", "投递到", "家在",
    "我在", "人在", "公司在", "所在地", "居住地", "户籍", "搬到", "常住",
)  # fmt: skip
"""Words of which each pattern holds one; around these alone it is looked for."""


def places(text: str, lower: str) -> Iterator[Found]:
    """Addresses that are introduced as somebody's, and those that go down to a door."""
    if not text.isascii():
        yield from _of_han(text)
    for match in found_around(EN_INTRO, text, lower, SIGNS_OF_LATIN, 24, 48):
        street = STREET.match(text, match.end())
        rest = street and REST.match(text, street.end())
        if rest:
            yield Found(match.end(), rest.end(), "ADDRESS")


def _of_han(text: str) -> Iterator[Found]:
    for match in found_around(INTRO, text, text, SIGNS_OF_HAN, 8, 16):
        start = match.end()
        found = END.search(text, start, start + LONGEST)
        end = found.start() if found else min(len(text), start + LONGEST)
        value = text[start:end].rstrip("，, 、的")
        if match["form"] and (
            not OF_A_PERSON.search(text) or NOT_OURS.search(text, max(0, match.start() - 24), match.start())
        ):
            continue
        if _is_place(value, bool(match["own"])):
            yield Found(start, start + len(value), "ADDRESS")
    for match in found_around(DOOR, text, text, ("室", "户", "房", "号"), 60, 1):
        yield Found(*match.span(), "ADDRESS")


def _is_place(value: str, own: bool) -> bool:
    marks = len(PLACE.findall(value))
    number = bool(re.search(r"\d|[一二三四五六七八九十]号", value))
    if len(value) < 5 or re.match(r"[不没错怎哪多什吗有变能可写填已]", value):
        return False
    return (marks >= 2 and number) or (own and marks >= 1 and (number or marks >= 2)) or marks >= 4


def _of_latin(text: str) -> Iterator[Found]:
    for match in EN_INTRO.finditer(text):
        street = STREET.match(text, match.end())
        if street is None:
            continue
        rest = REST.match(text, street.end())
        yield Found(match.end(), rest.end() if rest else street.end(), "ADDRESS")
