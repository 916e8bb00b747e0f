"""Names of people behind words that introduce them: `my name is`, `我叫`, `收件人`. Names elsewhere are not found.

A list of surnames tells 我叫张伟 from 我叫了外卖; a recogniser of names would need a model and milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from feedback.privacy.detect.reading import Reading, Tails
from feedback.privacy.detect.shapes import Found
from feedback.privacy.detect.windows import around, found_around

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭"
    "陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫雷段龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤康易乔赖文施洪辛柯庄温"
    "牛樊葛邢安齐伍鲁庞颜倪聂章童欧俞关祝左尚焦包宁涂骆尤詹岳柳翟殷阎梅盛季鲍费凌柴裴祁霍屈成苗项车桂阮池房管娄谷阳窦"
    "饶路华计卓宫蓝曲靳邝桑储卞甘冉游沙邬蒲景危仲单冷应褚甄耿谌巩席佟臧闻申瞿宗解钮栾卫边古强满商戚占晏原农丛苟昌木原"
)
DOUBLE = "欧阳|上官|司马|诸葛|东方|皇甫|尉迟|公孙|慕容|司徒|令狐|夏侯|端木|南宫|长孙|宇文|轩辕|独孤|呼延|闾丘"
AFTER_NAME = "想要在的是我有住电手今来和跟你可请能麻问买订下这那之前已不没就还也会说从用给收了过去到把被地女男先家号"
"""What is no second character of a given name, as far as one can say."""
HAN = "\u4e00-\u9fff"
NAME = re.compile(
    rf"(?:(?:{DOUBLE})[{HAN}](?:(?![{AFTER_NAME}])[{HAN}])?"
    rf"|[{SURNAMES}](?![了着过的不醒去个车辆外])[{HAN}](?:(?![{AFTER_NAME}])[{HAN}])?"
    rf"|[{HAN}]{{1,8}}(?:[·•][{HAN}]{{1,8}}){{1,3}}"
    r"|[A-Z][a-zA-Z]{1,20}(?:[ ·.][A-Z][a-zA-Z]{1,20}){0,2})"
)
ANY_HAN = re.compile(rf"[{HAN}]{{2,4}}(?=[\s，,。.!！;；、）)]|$)")
NO_NAME = re.compile(
    r"什么|哪|啥|谁|不|没|错|多少|如何|怎|是|为空|必填|真实|已|未|请|需|要|可|和|与|或|及|的|地址|电话|手机|号"
)
SURNAME = re.compile(rf"(?:{DOUBLE}|[{SURNAMES}])(?:先生|女士|小姐|太太)?(?=[\s，,。.!！;；、]|$)")
FORM = r"(?:\s{0,2}(?:[:：=]|是|为|叫做?|改[成为]|写的?是|填的?是|就?是)\s{0,2}|\s{1,2})"
OF_HAN = re.compile(
    rf"(?:(?P<called>我(?:的?名字)?叫做?|我名叫|本人叫?|名字叫做?|大名叫?|(?:她|他|妈妈|爸爸|朋友|老公|老婆|孩子"
    rf"|同事)叫)[：:\s]{{0,2}}"
    rf"|(?P<form>(?:我的?|收货人?|收件人?|寄件人?|联系人?|持卡人|真实|客户|用户|顾客|乘客|旅客|入住人|预订人"
    rf"|订购人|订票人|患者|投保人|户主|中文|开户|账户|签收)?(?:姓名|名字|名称|户名)|收货人|收件人|寄件人|联系人"
    rf"|持卡人|预订人|入住人|乘客|签收人|代收人|取件人|下单人|购买人|申请人|患者|户名|署名|落款|昵称)(?:{FORM}"
    rf"|(?=[{SURNAMES}]))"
    r"|(?P<surname>我姓|免贵姓|本人姓))"
)
WHO = re.compile(rf"(?:我是|这里是|我这边是)(?P<name>[{SURNAMES}][{HAN}]{{1,2}})(?=[\s，,。.!！]|$)")
NO_PERSON = re.compile(r".*[生员户师人客粉者友主工卡级店司板家队方时常然机区学校公高单文安成通]$")
IS = r"\s{0,2}(?:\bis\b|\bwas\b|'s\b|[:=：]|->)\s{0,2}"
STRONG = re.compile(
    r"(?:\b(?:my|his|her|their|the|full|legal|real|account holder'?s?|cardholder'?s?|customer'?s?|passenger'?s?"
    r"|guest'?s?"
    r"|recipient'?s?|contact|first|last|family|given|maiden|middle|wife'?s?|husband'?s?|son'?s?|daughter'?s?|boss'?s?"
    rf"|friend'?s?|sur|nick)\s?(?:full |first |last |legal |real |own )?name(?:\s(?:on (?:the|my) (?:card|account"
    rf"|order|booking)|here))?{IS}"
    r"|\bname(?:\s?[:：=]|'s)\s{0,2}|\b(?:full|cardholder|recipient|customer|contact|billing|shipping"
    r"|passenger) name\s?[:：]?\s{1,2}"
    r"|\b(?:i am|i'm|he is|she is|people|they|friends) (?:called|named|known as)\s{1,2}|\bthey call me\s{1,2}"
    r"|\b(?:recipient|cardholder|consignee|addressee|passenger|attn|attention|signed|signature|signed by"
    r"|sincerely|regards)\s?[:：,]\s{0,2}"
    r"|\b(?:under|in|by) the name(?: of)?:?\s{1,2}|\bmade out to\s{1,2}|\bsurname\s?(?:is|:)\s{0,2})",
    re.I,
)
WEAK = re.compile(
    r"\b(?:i am|i'm|this is|it's|speaking (?:is|with)|(?:mr|mrs|ms|miss|dr|prof)\.?|dear|ask for|send it to"
    r"|ship(?: it)? to"
    r"|regards,|sincerely,|thanks,|cheers,|signed,|for)\s{1,2}",
    re.I,
)
PART = r"(?:[A-Z\u00c0-\u00de]\.|[A-Z\u00c0-\u00de][\w'’\-]{0,24})"
LATIN = re.compile(
    rf"{PART}(?:\s(?:(?:de|del|della|van|von|der|den|la|le|bin|binti|ibn|al|da|dos|di|du|y"
    rf"|of)\s){{0,2}}{PART}){{0,3}}"
)
TITLE = re.compile(r"(?:(?:mr|mrs|ms|miss|dr|prof)\.?\s{1,2})", re.I)
HONORIFIC = re.compile(r"(?:mr|mrs|ms|miss|dr|prof)\b")
SPEAKING = re.compile(r"\s(?:speaking|calling|here|from|again|writing)")
"""What goes on behind the name of who speaks."""
OF_LETTERS = re.compile(r"[^\W\d_]+(?:[ '’-][^\W\d_]+)*")
WORD = re.compile(r"\S+")
LOWER = re.compile(
    r"[a-z\u00e0-\u00ff][a-z\u00e0-\u00ff'’\-]{1,20}(?:\s[a-z\u00e0-\u00ff][a-z\u00e0-\u00ff'’\-]{1,20}){0,2}(?!\w)"
)
STOP = frozenset(
    """
    and i but from with calling my the a an is was it im or not on in at for to of please thanks thank you your
    so we that this there here also who what where when which because since order number phone email address
    account misspelled wrong incorrect spelled right correct different changed required missing invalid same
    still already too very just now going being under by if can could would will should have has had do does did
    need want writing speaking living live customer unknown none n/a optional empty blank field on-file as are
    up about hard easy long short pronounced written listed
    """.split()  # noqa: SIM905 - a list of three hundred lines reads worse
)
NOT_CALLED = frozenset(
    """
    the and but from with for hi hello yes no ok okay thanks thank please order sorry dear sir madam team all
    customer mr mrs ms dr miss amazon google apple paypal visa english chinese american british german french
    required optional unknown monday tuesday wednesday thursday friday saturday sunday january february march
    april may june july august september october november december i my your our support service
    """.split()  # noqa: SIM905 - a list of three hundred lines reads worse
)
_NAMED = f"(?:[{SURNAMES}{DOUBLE.replace('|', '')}a-z]|[{HAN}]{{1,8}}[·•])"
"""How a name begins."""
_FORMED = rf"(?:{FORM}[{HAN}a-z]|[{SURNAMES}])"
"""What follows the word of a form: as well what is a name there alone."""
TAILS_OF_HAN: Tails = {
    "叫": re.compile(rf"做?[：:\s]{{0,2}}{_NAMED}"),
    "名": re.compile(rf"(?:叫[：:\s]{{0,2}}|[：:\s]{{0,2}}){_NAMED}|[字称]?{_FORMED}"),
    "本人": re.compile(rf"姓|叫?[：:\s]{{0,2}}{_NAMED}"),
    "我姓": None,
    "贵姓": None,
    **dict.fromkeys((
        "收货人", "收件人", "寄件人", "联系人", "持卡人", "预订人", "入住人", "签收人", "代收人", "取件人", "下单人",
        "购买人", "申请人", "投保人", "落款", "昵称", "乘客", "患者", "署名",
    ), re.compile(rf"(?:姓名|名字|名称|户名)?{_FORMED}")),
}  # fmt: skip
TAILS_OF_SELF: Tails = dict.fromkeys(("我是", "这里是", "这边是"), re.compile(f"[{SURNAMES}]"))
_IS = r"\s{0,2}(?:is|was|'s|[:=：]|->)"


def _after_those_who(words: str) -> re.Pattern[str]:
    those = ("i am", "i'm", "he is", "people", "they", "friends")
    return re.compile("(?:" + "|".join(f"(?<={one}{words})" for one in those) + r")\s")


_ENDED = re.compile(r"\s?[:：,]")
TAILS_OF_STRONG: Tails = {
    "name": re.compile(
        rf"{_IS}|d\s|\s(?:on (?:the|my) (?:card|account|order|booking)|here){_IS}"
        r"|(?:(?<=full name)|(?<=cardholder name)|(?<=recipient name)|(?<=customer name)|(?<=contact name)"
        r"|(?<=billing name)|(?<=shipping name)|(?<=passenger name))\s?[:：]?\s"
        r"|(?:(?<=under the name)|(?<=in the name)|(?<=by the name))(?: of)?:?\s"
    ),
    " called": _after_those_who(" called"),
    "known as": _after_those_who(" known as"),
    "call me": re.compile(r"(?<=they call me)\s"),
    "made out": re.compile(r" to\s"),
    "signed": re.compile(r"\s?[:：,]| by\s?[:：,]"),
    **dict.fromkeys((
        "recipient", "cardholder", "consignee", "addressee", "attn", "attention", "signature", "sincerely", "regards",
        "passenger",
    ), _ENDED),
}  # fmt: skip
SIGNS_OF_STRONG = frozenset({" called ", *TAILS_OF_STRONG} - {" called"})
SIGNS_OF_WEAK = frozenset((
    "i am ", "i'm ", "this is ", "mr ", "mr.", "mrs", " ms ", "ms. ", "miss ", " dr ", "dr. ", "prof",
    "cheers,", "thanks,", "regards,", "sincerely,", "signed,", "dear ",
))  # fmt: skip
"""Around these words alone each pattern is looked for."""
CAPITAL = re.compile("[A-Z\u00c0-\u00de]")
"""How a part of a Latin name begins."""
SHORTEST_WEAK = 3
"""Characters of what introduces a name weakly, at least."""


def names(reading: Reading) -> Iterator[Found]:
    """Names that are introduced as such."""
    text = reading.text
    if not reading.ascii:
        yield from _of_han(reading)
    for match in found_around(STRONG, reading, SIGNS_OF_STRONG, TAILS_OF_STRONG, 24, 40):
        yield from _after_strong(text, match)
    for start, end in around(reading.words, SIGNS_OF_WEAK, 2, 4):
        if CAPITAL.search(text, start + SHORTEST_WEAK, end + 1) is None:
            continue
        for match in WEAK.finditer(text, start, end):
            found = LATIN.match(text, match.end())
            if found is not None and _called(
                found.group(), match.group().strip().lower(), text[found.end() : found.end() + 12]
            ):
                yield Found(*found.span(), "NAME")


def _of_han(reading: Reading) -> Iterator[Found]:
    text = reading.text
    for match in found_around(OF_HAN, reading, TAILS_OF_HAN, TAILS_OF_HAN, 8, 12):
        pattern = SURNAME if match["surname"] else NAME
        found = pattern.match(text, match.end())
        if found is None and match["form"] and (other := ANY_HAN.match(text, match.end())):
            found = None if NO_NAME.search(other.group()) else other
        if found is not None and not NO_NAME.match(found.group()):
            yield Found(*found.span(), "NAME")
    for match in found_around(WHO, reading, TAILS_OF_SELF, TAILS_OF_SELF, 0, 5):
        if not NO_PERSON.match(match["name"]):
            yield Found(*match.span("name"), "NAME")


def _after_strong(text: str, match: re.Match[str]) -> Iterator[Found]:
    start = match.end()
    if title := TITLE.match(text, start):
        start = title.end()
    found = LATIN.match(text, start)
    if found is not None:
        yield from _without_stops(found)
    elif (lower := LOWER.match(text, start)) and (" " in lower.group() or match.group().rstrip()[-1] not in ":=："):
        yield from _without_stops(lower)


def _without_stops(found: re.Match[str]) -> Iterator[Found]:
    """The words of a name up to the first that is of the sentence."""
    words = list(WORD.finditer(found.group()))
    kept = 0
    for word in words:
        plain = word.group().strip(".,'’").lower()
        if plain in STOP or (not kept and plain in NOT_CALLED):
            break
        kept = word.end()
    name = found.group()[:kept].rstrip(".,")
    if len(name) > 1:
        yield Found(found.start(), found.start() + len(name), "NAME")


def _called(name: str, behind: str, rest: str) -> bool:
    """Whether what follows `I am`, `this is`, `Mr` is a name."""
    words = [word.strip(".,'’").lower() for word in name.split()]
    if any(word in NOT_CALLED or word in STOP for word in words):
        return False
    if HONORIFIC.match(behind):
        return len(words[0]) > 1
    if behind.startswith(("this is", "it's", "i am", "i'm")):
        return (len(words) in (2, 3) or bool(SPEAKING.match(rest))) and OF_LETTERS.fullmatch(name) is not None
    return behind.endswith(",") and len(words) in (1, 2, 3) and not rest.strip()
