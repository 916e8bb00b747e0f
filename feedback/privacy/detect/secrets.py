"""Passwords, codes and passphrases behind words that name them.

The label is found once, and what may follow is tried at its end alone; so the time grows with the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from feedback.privacy.detect.reading import Reading, Tails
from feedback.privacy.detect.shapes import Found
from feedback.privacy.detect.windows import found_around

LABEL = (
    r"(?:password|passcode|passwd|passphrase|pass phrase|secret phrase|recovery phrase|seed phrase|secret answer"
    r"|(?<![A-Za-z])(?:pwd|pw(?=\s?[:：=])|pin(?: code| number)?|cvv2?|cvc2?|security[ _-]?code|mother'?s maiden name"
    r"|verification[ _-]?code|one-time code|access code|login code|door code|gate code|otp)"
    r"|(?:登录|支付|交易|取款|银行卡|账户|账号|开机|锁屏|门锁|wifi|WiFi|Wi-Fi|保险箱|解锁|查询|初始|新|旧"
    r"|原)?密码|密语|暗号|暗语|口令|验证码|安全码|校验码"
    r"|动态码|短信码|门禁码|密保答案|助记词)"
)
TAILS: Tails = {
    "pass": re.compile("w(?:or)?d|code|phrase| phrase"),
    "pwd": re.compile("(?<![a-z]pwd)"),
    "pw": re.compile(r"(?<![a-z]pw)\s?[:：=]"),
    "pin": re.compile("(?<![a-z]pin)"),
    "cvv": re.compile("(?<![a-z]cvv)"),
    "cvc": re.compile("(?<![a-z]cvc)"),
    "otp": re.compile("(?<![a-z]otp)"),
    "code": re.compile(
        "(?<=securitycode)|(?<=security.code)|(?<=verificationcode)|(?<=verification.code)|(?<=one-time code)"
        "|(?<=access code)|(?<=login code)|(?<=door code)|(?<=gate code)"
    ),
    "phrase": re.compile("(?<=passphrase)|(?<=pass phrase)|(?<=secret phrase)|(?<=recovery phrase)|(?<=seed phrase)"),
    "secret answer": None,
    "maiden": re.compile(" name"),
    **dict.fromkeys((
        "密码", "密语", "暗号", "暗语", "口令", "验证码", "安全码", "校验码", "动态码", "短信码", "门禁码",
        "密保", "助记词",
    )),
}  # fmt: skip
"""Of which a label holds one."""
LABELS = re.compile(LABEL, re.I)
IS = (
    r"(?:\s{0,3}(?:\bis\b|\bwas\b|\bare\b|\bto\b|[:：=]|是|为|设置?成了?|设置?为|改成了?|改为|换成了?|叫做?"
    r"|就是)){1,2}\s{0,3}"
)
NO_UNIT = r"(?!\s{0,3}(?:位|秒|分|次|个|天|小时|条|-?digit|-?character|second|minute|hour|day|time|attempt|月|年))"
RIGHT = r"(?![A-Za-z0-9])"
APART = r"\s\"',;\x80-\U0010ffff"
"""What no password of a message holds: what sets it apart from the words around it, and Chinese. To be read with the
case as it is: without, the range would take in `s` and `k`, whose other cases are in it."""
QUOTE = r"\"'“”‘’「」`"
VALUES = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        r"\\*[\"']\s{0,9}[:=]\s{0,9}\\*[\"']([^\"'\\]{1,128})",
        r"\\*[\"']\s{0,9}[:=]\s{0,9}(\d{3,12})",
        rf"(?:{IS}|\s{{1,3}})[{QUOTE}]([^{QUOTE}\n]{{3,80}})[{QUOTE}]",
        rf"{IS}[\"'“]?(?!\d+-(?:digit|character))((?-i:[^{APART}]{{2,127}}[^{APART}.!?])){RIGHT}{NO_UNIT}",
        rf"\s{{0,3}}#?\s{{0,3}}(\d{{3,8}})(?!\d){NO_UNIT}",
        rf"{IS}(\d(?:[ -]?\d){{2,11}})(?!\d){NO_UNIT}",
        r"(?:\s{1,3}|(?<=[码令]))([A-Za-z0-9@#$%^&*!_]{6,64})" + RIGHT,
    )
)
"""Tried in this order at the end of a label; group 1 is the value."""
PLAIN_WORD = re.compile(r"[A-Za-z'.]+(?:-[A-Za-z'.]+)?")
"""A word of a sentence, such as `required` or `case-sensitive`; three joined words are a passphrase."""
MIXED = re.compile(r"(?=.*\d)(?=.*[A-Za-z])", re.S)
PHRASE = re.compile(rf"{IS}[{QUOTE}]?([A-Za-z][A-Za-z'’]{{1,20}}(?:[ _-][A-Za-z0-9'’]{{1,20}}){{0,11}})", re.I)
END_OF_PHRASE = re.compile(
    r"\s(?:and|but|or|so|please|then|for|when|with|which|it|i|because|if|could|can|now|thanks|thank|by|my|is|that|you"
    r"|though|however|if|until|while|since|what|do|does|should|would|will|did|has|have|why|on|in|not|to)\b.*",
    re.I | re.S,
)
SPACE = re.compile("[ _-]")
ADJECTIVE = re.compile("(?:ed|ing|ly|able|ible|ive|ful|ous|al|ent|ant)$")
HAN = re.compile("[\u4e00-\u9fff]")
NO_SECRET = frozenset(
    """
    wrong incorrect invalid required expired not too case weak strong missing forgotten lost being same
    different the a an at in on for needed reset changed correct right good still always never longer no my your
    his her our their optional protected disabled enabled locked blocked rejected accepted sent set only what
    why how where when which who whatever something anything nothing fine ok okay safe secure unsafe private
    hidden visible empty blank null none unknown unavailable available mandatory necessary important
    case-sensitive encrypted hashed stored saved known easy hard simple complex long short old new default
    temporary permanent unique made used allowed based linked tied due done just already also all any every
    either one two it its it's that this these those there here from by of to as if so very really quite almost
    probably maybe definitely being getting having working failing incorrectly likely supposed going gone about
    over up out off down back working denied refused accepted and but or is are was were be been has have had do
    does did can could should would will may might must password passwords pin code sensitive compromised hacked
    stolen leaked outdated shared exposed visible broken typed entered written displayed shown printed listed
    recorded asked requested generated created updated deleted removed emailed mailed texted provided given
    assigned issued found kept recovery management manager policy reset? field protection strength length
    delivered late valid between more less different longer shorter stronger weaker better worse used you we
    they i he she me us them than then today tomorrow now ready complicated annoying confusing slow fast free
    though access authenticate retrieve verify confirm enter complete continue proceed help get log sign
    """.split()  # noqa: SIM905 - a list of three hundred lines reads worse
)
HAN_PHRASE = re.compile(
    rf"{IS}[{QUOTE}]?((?:[\u4e00-\u9fff]|[A-Za-z0-9@#!_*](?=[\u4e00-\u9fffA-Za-z0-9@#!_*])"
    rf"|[A-Za-z0-9!](?![\u4e00-\u9fff])){{2,32}})"
)
NO_HAN_SECRET = re.compile(
    r"不|没|多|什|啥|错|对|正|必|空|用来|用于|由|指|几|哪|怎|谁|为|需|要|可|能|我的|你的|他|她|我忘|我们|我上|在"
    r"|从|被|随机|默认|初始|统一|系统"
    r"|数字|字母|一串|一个|一样|相同|同一|同样|区分|大小|加密|安全|有效|过期|失效|生效|重置|修改|登录|关键|隐私"
    r"|个人|保密|和|跟|与|或|以|最|至少"
    r"|[六八四]位|\d+\s*[-到至~]?\s*\d*\s*位|老|新的|旧的|原来|之前|通过|手机|短信|发|收|自己|很|太|比较|非常"
    r"|特别|都|也|还|已|未|否|我设|当时|本人"
    r"|身份证|生日[吗吧?？]|电话|同|只|应|该|请|会|保护|泄露|锁|输|填|写|提示|显示|忘|一[般直]|属|绝|如何|有|无"
    r"|全|[男女]"
)
NO_HAN_END = re.compile(r"(?:的|吗|呢|么|了吗|吧)$")
HAN_TAIL = re.compile(r"(?:了|啦|哦|哈|啊|呀|谢谢|麻烦|请|帮我|可以).*$")


def secrets(reading: Reading, text: str) -> Iterator[Found]:
    """Values that a word calls a secret; `text` is the reading's with numerals as digits."""
    for label in found_around(LABELS, reading, TAILS, TAILS, 20, 20):
        found = _value(text, label.end()) or _phrase(text, label) or _han_phrase(text, label.end())
        if found is not None:
            yield Found(*found, "SECRET")


def _value(text: str, at: int) -> tuple[int, int] | None:
    for place, pattern in enumerate(VALUES):
        match = pattern.match(text, at)
        if match is None:
            continue
        value = match.group(1)
        if (place == 3 and PLAIN_WORD.fullmatch(value)) or (place == 6 and not MIXED.match(value)):
            continue
        if place == 2 and value.lower().split()[0] in NO_SECRET and "phrase" not in text[max(0, at - 8) : at].lower():
            continue
        return match.span(1)
    return None


def _phrase(text: str, label: re.Match[str]) -> tuple[int, int] | None:
    """Words behind a label: a passphrase, or a single word that no sentence goes on with."""
    match = PHRASE.match(text, label.end())
    if match is None:
        return None
    said = END_OF_PHRASE.sub("", match.group(1)).rstrip(" -_")
    words = SPACE.split(said.lower())
    of_phrase = (
        "phrase" in label.group().lower() or "answer" in label.group().lower() or "maiden" in label.group().lower()
    )
    if not said or (words[0] in NO_SECRET and not (of_phrase and len(words) > 3)):
        return None
    if len(words) == 1 and (ADJECTIVE.search(said) or len(said) < 4):
        return None
    if len(words) == 2 and not of_phrase and words[1] in NO_SECRET:
        return None
    return match.start(1), match.start(1) + len(said)


def _han_phrase(text: str, at: int) -> tuple[int, int] | None:
    match = HAN_PHRASE.match(text, at)
    if match is None:
        return None
    said = HAN_TAIL.sub("", match.group(1))
    if len(said) < 2 or not HAN.search(said) or NO_HAN_SECRET.match(said) or NO_HAN_END.search(match.group(1)):
        return None
    return match.start(1), match.start(1) + len(said)
