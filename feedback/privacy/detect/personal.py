"""Personal values and secrets that have letters in them: shapes, check digits, and words that name what follows.

Microsoft Presidio was considered: it wants spaCy models of hundreds of megabytes and milliseconds for
each message, and is weak on Chinese identifiers; the values here have shapes, check digits or labels,
which are enough to leave order numbers, dates and amounts alone.
"""

from __future__ import annotations

import re

from feedback.privacy.detect.checks import iban
from feedback.privacy.detect.reading import PROVINCES
from feedback.privacy.detect.rules import (
    LATIN,
    around_signs,
    at_letters_and_digits,
    at_provinces,
    at_words,
    ipv6,
    mailbox,
    mixed,
    rule,
    with_digit,
)

HAN = "\u4e00-\u9fff"
PEM = "[A-Z ]{0,32}PRIVATE KEY(?: BLOCK)?"
LEFT, RIGHT = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"
IS = r"(?:\s{0,3}(?:\bis\b|\bwas\b|\bare\b|[:：=]|是|为|叫)){1,2}\s{0,3}"
MAYBE_IS = rf"(?:{IS}|\s{{0,3}})"
TOKEN = r"(?:(?:api|access|secret|private|session|auth)[ _-]?(?:access[ _-]?)?key|secret|token|密钥|令牌)"
AT = (
    r"(?:\s{0,2}[\[({（【<]\s?(?:at|@|艾特|圈a)\s?[\])}）】>]\s{0,2}|\s{1,2}(?:at|@|艾特)\s{1,2}|\s{0,2}(?:艾特"
    r"|圈a|＠)\s{0,2})"
)
DOT = (
    r"(?:\s{0,2}[\[({（【<]\s?(?:dot|\.|点)\s?[\])}）】>]\s{0,2}|\s{1,2}(?:dot|点)\s{1,2}"
    r"|(?<=[A-Za-z0-9])点(?=[A-Za-z])|\s?\.\s?)"
)
SPOKEN_DOT = (
    r"(?:\s{0,2}[\[({（【<]\s?(?:dot|点)\s?[\])}）】>]\s{0,2}|\s{1,2}(?:dot|点)\s{1,2}"
    r"|(?<=[A-Za-z0-9])点(?=[A-Za-z]))"
)
PROVIDERS = (
    r"(?:gmail|googlemail|outlook|hotmail|live|yahoo|ymail|icloud|me|mac|proton|protonmail|aol|gmx|qq"
    r"|foxmail|163|126|sina|sohu|yeah|139|189|aliyun)"
)
LOCAL = (
    rf"[{LATIN}][{LATIN}_+-]{{0,40}}(?:(?:\.|{SPOKEN_DOT}|(?:\s(?:underscore"
    rf"|dash)\s))[{LATIN}_+-]{{1,40}}){{0,4}}"
)
HANDLE = r"@?[A-Za-z0-9][\w.\-]{2,31}"

NO_LETTER, NO_WORD = re.compile(r"[\d_@]"), re.compile(r"\W")

RULES = (
    rule(
        "KEY",
        "-----begin",
        rf"-----BEGIN {PEM}-----[^-]*(?:-(?!----)[^-]*)*(?:-----END {PEM}-----)?",
        flags=0,
        way=at_words,
    ),
    rule("DATA", "base64,", r"(?<=;base64,)[A-Za-z0-9+/=_-]+", flags=0),
    rule(
        "URL",
        "://",
        r"\b[a-z][a-z0-9+.-]{1,12}://[^\s/@:]{0,64}:[^\s/@]{1,128}@[^\s<>\"，。]+",
        tail=r"[^\s/@:]{0,64}:[^\s/@]{1,128}@",
    ),
    rule(
        "KEY",
        "sk-|sk_|rk_|akia|asia|ghp_|gho_|ghu_|ghs_|ghr_|github_pat_|glpat-|hf_|npm_|ya29|xox|aiza|ltai|0x|bc1",
        LEFT + r"(?:sk-[A-Za-z0-9_-]{16,}|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|A[KS]IA[A-Z0-9]{16}"
        r"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{20,}|glpat-[\w-]{16,}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{30,}"
        r"|ya29\.[\w-]{16,}|xox[abprs]-[\w-]{10,}|AIza[\w-]{35}|LTAI[A-Za-z0-9]{12,}|0x[0-9a-fA-F]{40}"
        + RIGHT
        + r"|bc1[a-z0-9]{25,59})",
        flags=0,
        way=at_words,
    ),
    rule("KEY", "eyj", r"(?<![\w-])eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{6,}", flags=0, way=at_words),
    rule("KEY", "hooks.slack.com", r"(?<=hooks\.slack\.com/services/)[\w/]{20,}", flags=0),
    rule(
        "KEY",
        "bearer|basic",
        r"\b(?:Bearer|Basic)\s{1,3}((?=\S*\d)[A-Za-z0-9._~+/-]{16,}=*)",
        number=True,
        way=at_words,
    ),
    rule(
        "KEY",
        "token=|key=|sig=|signature=|secret=|auth=|credential=",
        r"[?&][\w.-]*(?:token|key|sig|signature|secret|auth|credential)=([^\s&#\"'<>]{6,})",
        mixed,
        number=True,
    ),
    rule(
        "KEY",
        "key|secret|token|密钥|令牌",
        TOKEN + r"\\*[\"']?" + IS + r"\\*[\"']?([A-Za-z0-9._~+/-]{8,}=*)",
        mixed,
        number=True,
        tail=r"\\*[\"']?\s{0,3}(?:is|was|are|[:：=]|是|为|叫)",
    ),
    rule(
        "EMAIL",
        "@|%40",
        rf"(?<![{LATIN}_.%+-])[.%+-]*([{LATIN}_][{LATIN}_.%+-]*(?:@|%40)"
        rf"[{LATIN}-]{{1,63}}(?:\.[{LATIN}-]{{1,63}})*\.[A-Za-z]{{2,24}})",
        flags=0,
        way=around_signs,
    ),
    rule(
        "EMAIL",
        "@",
        rf"(?:(?<![{LATIN}_.%+-])[{LATIN}_][{LATIN}_.%+-]{{0,63}}|(?:(?<=[^{HAN}])|(?<=[：:是为到给])"
        rf"|^)[{HAN}]{{1,8}}[{LATIN}_.]{{0,20}})"
        rf"@(?:[{LATIN}{HAN}-]{{1,63}}(?:[.。．][{LATIN}{HAN}-]{{1,63}}){{0,3}}[.。．](?:中国|公司|网络|中文网"
        rf"|公益|政务|在线|网址|集团|我爱你|商城|网店|手机|佛山|广东|香港|台湾|澳门|新加坡|xn--[a-z0-9]{{4,20}}"
        rf"|[A-Za-z]{{2,24}}))",
        tail=r"[^\s.。．]{1,63}[.。．]",
        reach=(66, 284),
    ),
    rule(
        "EMAIL",
        "@",
        rf"(?<![{LATIN}_.%+-])({LOCAL}\s{{1,2}}@\s{{1,2}}[{LATIN}-]{{1,40}}(?:\s?\.\s?[A-Za-z]{{2,24}}){{1,3}})",
        tail=r"(?<=\s@)\s{1,2}[^\s.]{1,40}\s?\.",
        reach=(254, 126),
    ),
    rule(
        "EMAIL",
        " dot|(dot|[dot|{dot|<dot|点|（dot|【dot",
        rf"(?<![{LATIN}_.%+-])({LOCAL}{AT}(?:[{LATIN}-]{{1,40}}{SPOKEN_DOT}){{1,3}}[A-Za-z]{{2,24}}(?:{SPOKEN_DOT}[A-Za-z]{{2,10}})?)"
        + RIGHT,
        mailbox,
        also=" at |(at|[at|{at|<at|（at|【at|@|艾特|圈a|(@",
        anchors="dot|点",
        tail=r"\s?[\])}）】>]?\s{0,2}[a-z]",
        reach=(460, 460),
    ),
    rule(
        "EMAIL",
        "[at]|(at)|{at}|<at>|（at）|【at】|[ at ]|( at )|艾特|圈a",
        rf"(?<![{LATIN}_.%+-])({LOCAL}(?:\s?[\[({{（【<]\s?(?:at|艾特)\s?[\])}}）】>]\s?|\s?(?:艾特"
        rf"|圈a)\s?)[{LATIN}-]{{1,40}}(?:{DOT}[{LATIN}-]{{2,24}}){{1,3}})" + RIGHT,
        hint=r"[\[({（【<]\s?(?:at|艾特)\s?[\])}）】>]|艾特|圈a",
        reach=(254, 160),
    ),
    rule(
        "EMAIL",
        " at ",
        rf"(?<![{LATIN}_.%+-])({LOCAL}\sat\s{PROVIDERS}(?:{DOT}[A-Za-z]{{2,10}}){{1,2}})" + RIGHT,
        also="mail|outlook|live|yahoo|icloud| me.| mac.|proton|aol|gmx|qq|163|126|sina|sohu|yeah|139|189|aliyun",
        hint=rf"at\s{PROVIDERS}",
        reach=(254, 60),
    ),
    rule(
        "EMAIL",
        "#",
        rf"(?:邮箱|邮件|e-?mail"
        rf"|mail)[^\n]{{0,12}}?(?<![{LATIN}])([{LATIN}][{LATIN}_.-]{{1,40}}#[{LATIN}-]{{1,30}}(?:\.[A-Za-z]{{2,10}}){{1,2}})",
        also="mail|邮",
        tail=r"[^\s.]{1,30}\.",
        reach=(60, 54),
    ),
    rule(
        "ID",
        "passport|护照|通行证|台胞证|回乡证|证件|licen|driv|驾|nric|nino|insurance|identity|national id|id card"
        "|id no|id num|permit",
        r"(?:护照|通行证|台胞证|回乡证|证件|驾驶证|驾照|\bpassport|\bnric|\bnino|\bnational insurance"
        r"|\bidentity(?: card)?|\bnational id|\bid card|\bid(?= no| num)"
        r"|\bdriv(?:er'?s?|ing) licen[cs]e|\blicen[cs]e(?= no| num)|\bresidence permit|\bpermit)(?:号码?|编号"
        r"| number| no\.?| num)?"
        r"(?:\s?(?:on file|for the booking))?"
        + MAYBE_IS
        + r"((?=[A-Z0-9 -]{0,9}\d)[A-Z]{0,3}[- ]?\d(?:[ -]?[A-Z0-9]){4,17})"
        + RIGHT,
        number=True,
        tail={
            "driv": "(?:er'?s?|ing) licen",
            "licen": "[cs]e(?: no| num)",
            "insurance": "(?<=national insurance)",
            "id no": r"(?<!\wid no)",
            "id num": r"(?<!\wid num)",
        },
        reach=(12, 97),
    ),
    rule(
        "ID",
        "qq|扣扣|企鹅|q号|加q",
        LEFT + r"(?:加?QQ(?:号码?|号| number| id)?|扣扣号?|企鹅号?|q号|加q)" + MAYBE_IS + r"(\d{5,11})" + RIGHT,
        number=True,
        way=at_words,
    ),
    rule(
        "ID",
        "微信|wechat|weixin|vx|wx|v信|薇信|威信",
        r"(?:微信号?|(?<![a-z])(?:wechat|weixin|vx|wx|v信)|薇信|威信)(?:号|账号| ?id| account| number| handle)?"
        r"(?:" + IS + r"|(?<=[号d]) ?| {1,2}(?=\w{0,18}[\d_-]))@?([A-Za-z][A-Za-z0-9_-]{5,19})" + RIGHT,
        lambda value: value.lower() not in ("payment", "wechat", "official"),
        way=at_words,
    ),
    rule(
        "ID",
        "微信|vx|wechat|wx|v信",
        r"(?:微信号?|vx|wechat|wx|v信)(?:号|账号| ?id| number)?" + MAYBE_IS + r"(1[3-9]\d{9}|\d{6,11})" + RIGHT,
        number=True,
        way=at_words,
    ),
    rule(
        "ID",
        "telegram|line id|skype|whatsapp|instagram|twitter|snapchat|discord|facebook|微博|抖音|小红书|钉钉|telegram",
        r"(?:\b(?:telegram|line id|skype|whatsapp|instagram|twitter|snapchat|discord|facebook)(?: id| handle"
        r"| username| account| name)?|(?:微博|抖音|小红书|钉钉)(?:号|账号|id|ID))"
        r"(?:" + IS + r"|\s(?=@))(" + HANDLE + r")" + RIGHT,
        lambda value: bool(NO_LETTER.search(value)),
        way=at_words,
    ),
    rule(
        "SSN",
        "ssn|social security",
        r"\b(?:SSN|social security(?: number| no\.?)?)" + MAYBE_IS + r"(\d{3}[ -]?\d{2}[ -]?\d{4})" + RIGHT,
        number=True,
        way=at_words,
    ),
    rule(
        "IBAN",
        "",
        LEFT + r"[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,4})?" + RIGHT,
        lambda value: iban(value.replace("-", "")),
        digits=10,
        way=at_letters_and_digits,
    ),
    rule(
        "IBAN",
        "iban",
        r"\bIBAN(?: number| no\.?)?" + MAYBE_IS + r"([A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{2,4}){3,8})" + RIGHT,
        way=at_words,
    ),
    rule(
        "PLATE",
        "",
        rf"(?<![{HAN}])?([{PROVINCES}][A-HJ-NP-Z][·•.\s-]{{0,2}}(?=[A-Z0-9]{{0,5}}\d)[A-Z0-9]{{5,6}}"
        rf"|[{PROVINCES}][A-HJ-NP-Z][·•.\s-]{{0,2}}(?=[A-Z0-9]{{0,4}}\d)[A-Z0-9]{{4}}[挂学警港澳领])" + RIGHT,
        digits=1,
        way=at_provinces,
    ),
    rule(
        "PLATE",
        "plate|registration|reg |车牌|number plate|tag ",
        r"(?:(?:licen[cs]e |number |vehicle |car |my )?plates?(?: number| no\.?| reads)?|\b(?:car"
        r"|vehicle)(?:'s)? (?:registration|reg|tag)(?: number| no\.?| plate)?|车牌号?码?)"
        + MAYBE_IS
        + r"((?=[A-Z0-9 -]{0,8}\d)[A-Z0-9]{1,4}(?:[ -]?[A-Z0-9]{1,4}){1,2})"
        + RIGHT,
        lambda value: with_digit(value) and 4 <= len(NO_WORD.sub("", value)) <= 8,
        number=True,
        anchors=" reg| tag",
        reach=(12, 59),
    ),
    rule(
        "MAC",
        "",
        LEFT + r"[0-9A-F]{2}(?::[0-9A-F]{2}){5}(?![0-9A-F:-])",
        many=(":", 5),
        hint=":[0-9a-f]{2}:[0-9a-f]{2}:",
    ),
    rule(
        "MAC",
        "",
        LEFT + r"[0-9A-F]{2}(?:-[0-9A-F]{2}){5}(?![0-9A-F:-])",
        many=("-", 5),
        hint="-[0-9a-f]{2}-[0-9a-f]{2}-[0-9a-f]{2}-",
    ),
    rule(
        "MAC",
        "",
        LEFT + r"[0-9A-F]{4}\.[0-9A-F]{4}\.[0-9A-F]{4}" + RIGHT,
        mixed,
        digits=3,
        many=(".", 2),
        hint=r"\.[0-9a-f]{4}\.[0-9a-f]{4}",
    ),
    rule(
        "IP",
        "",
        r"(?<![0-9A-Za-z:.])((?:[0-9A-F]{1,4}:){1,7}(?::[0-9A-F]{1,4}){1,7}|(?:[0-9A-F]{1,4}:){7}[0-9A-F]{1,4}"
        r"|(?:[0-9A-F]{1,4}:){2,7}:)(?![0-9A-Za-z:])",
        ipv6,
        digits=1,
        many=(":", 3),
        hint=":(?:(?<=[0-9a-f]:):|[0-9a-f]{1,4}:[0-9a-f]{1,4}:[0-9a-f]{1,4}:)",
    ),
    rule(
        "EXPIRY",
        "expir|exp|valid|有效期|到期",
        r"(?:\bexpir\w{0,6}|\bexp(?: date)?\b|\bvalid (?:thru|through|until|to)|有效期(?:至|到|限)?|到期(?:日"
        r"|时间)?)(?: (?:date|on|in))?"
        + MAYBE_IS
        + r"((?:0[1-9]|1[0-2])\s?[/-]\s?(?:20)?[2-4]\d|20[2-4]\d年(?:0?[1-9]|1[0-2])月)(?![/\d-])",
        number=True,
        way=at_words,
    ),
    rule(
        "BIRTH",
        "birth|born|dob|生日|出生",
        r"(?:date of birth|\bd\.?o\.?b\.?|\bborn(?: on| in)?(?: the)?|birth ?(?:day|date)|出生(?:日期|年月日?"
        r"|于)?|生日)(?: (?:on|falls on))?"
        + MAYBE_IS
        + r"((?:19|20)\d\d[-/.年]\s?\d{1,2}[-/.月]\s?\d{1,2}日?|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)?\d\d"
        r"|[A-Z][a-z]{2,8}\.? \d{1,2}(?:st|nd|rd|th)?,? (?:19|20)\d\d|\d{1,2}(?:st|nd|rd"
        r"|th)? (?:of )?[A-Z][a-z]{2,8},? (?:19|20)\d\d|(?:19|20)\d{6})",
        number=True,
        anchors="date of birth|d.o.b|d.ob|do.b",
        way=at_words,
    ),
)
LONG_DATA = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{512,}={0,2}")
"""Embedded files without a word that says so."""
CARD_NEAR = frozenset(("card", "cvv", "cvc", "visa", "mastercard", "amex", "卡", "安全码"))
"""What makes a month and a year the end of a card."""
