"""What counts as a personal value or a secret: shapes, check digits, and words that name what follows them.

Microsoft Presidio was considered: it wants spaCy models of hundreds of megabytes and milliseconds for
each message, and is weak on Chinese identifiers; the values here have shapes, check digits or labels,
which are enough to leave order numbers, dates and amounts alone. Names and postal addresses have none
of these and are not found.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

IBAN_COUNTRIES = re.compile(
    "A[DELTZ]|B[AEGHRY]|C[HRYZ]|D[EKO]|E[EGS]|F[IOR]|G[BEILRT]|H[RU]|I[ELQST]|JO|K[WZ]|L[BCITUVY]|M[CDEKRTU]"
    "|N[LO]|P[KLST]|QA|R[OS]|S[ACEIKMV]|T[LNR]|UA|V[AG]|XK"
)
ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|35\d{14}|5[1-5]\d{14}|2[2-7]\d{14}|6\d{15,18}"
)
"""Visa, American Express, Diners Club, JCB, Mastercard (two ranges); Discover, Maestro and UnionPay."""


def luhn(text: str) -> bool:
    """Whether the digits of `text` end with a right Luhn check digit (ISO/IEC 7812)."""
    digits = [int(c) for c in text if c.isdigit()]
    total = sum(d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(reversed(digits)))
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and total % 10 == 0


def card(text: str) -> bool:
    """Whether `text` is a payment card's number: an issuer's range and length, and the check digit."""
    return bool(ISSUERS.fullmatch(re.sub(r"\D", "", text))) and luhn(text)


def resident_id(text: str) -> bool:
    """Whether `text` is a Chinese resident number: date of birth and check digit of GB 11643-1999."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    if not (1900 <= int(text[6:10]) <= 2099 and 1 <= int(text[10:12]) <= 12 and 1 <= int(text[12:14]) <= 31):
        return False
    return "10X98765432"[sum(int(c) * w for c, w in zip(text, weights, strict=False)) % 11] == text[17].upper()


def iban(text: str) -> bool:
    """Whether `text` passes the remainder check of ISO 13616."""
    plain = text.replace(" ", "").upper()
    turned = plain[4:] + plain[:4]
    return (
        15 <= len(plain) <= 34
        and bool(IBAN_COUNTRIES.fullmatch(plain[:2]))
        and int("".join(str(int(c, 36)) for c in turned)) % 97 == 1
    )


def phone(text: str) -> bool:
    """Whether an international number has as many digits as E.164 allows, and more than an amount has."""
    return 9 <= sum(c.isdigit() for c in text) <= 15


def no_word(text: str) -> bool:
    """Whether `text` is more than a word such as `required` or `case-sensitive`."""
    return bool(re.search(r"[^A-Za-z'.-]", text))


def mixed(text: str) -> bool:
    """Whether `text` holds letters and digits, as generated keys do."""
    return bool(re.search(r"\d", text) and re.search(r"[A-Za-z]", text))


def _always(_: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """Values of one kind: the pattern's group 1, or all of it where it has none, when `valid` says so."""

    kind: str
    pattern: re.Pattern[str]
    """Its time grows with the text alone: where a repetition begins is fixed or what it takes is bounded."""
    valid: Callable[[str], bool] = _always
    needs: tuple[str, ...] = ()
    """Words in lower case of which a text that holds such a value has one; none: it has a digit."""
    numbered: bool = False
    """Whether a shop's own number may look the same; then what is labelled as one (`SHOP`) stays."""


def _rule(
    kind: str, pattern: str, valid: Callable[[str], bool] = _always, *,
    needs: tuple[str, ...] = (), numbered: bool = False, flags: int = 0,
) -> Rule:  # fmt: skip
    return Rule(kind, re.compile(pattern, flags), valid, needs, numbered)


LATIN = "A-Za-z0-9\u00c0-\u024f"
PEM = "[A-Z ]{0,32}PRIVATE KEY(?: BLOCK)?"
LEFT, RIGHT = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"
IS = r"(?:\s{0,3}(?:\bis\b|\bwas\b|\bare\b|[:：=]|是|为)){1,2}\s{0,3}"
MAYBE_IS = rf"(?:{IS}|\s{{0,3}})"
PASSWORD = (
    r"(?:password|passcode|passwd|passphrase|pwd|(?<![A-Za-z])(?:pin(?: code| number)?|cvv|cvc|security[ _-]?code"
    r"|verification[ _-]?code|one-time code|otp)|密码|口令|验证码|安全码|校验码|动态码|短信码)"
)
PASSWORD_WORDS = (
    "pass", "pwd", "pin", "cvv", "cvc", "code", "otp", "密码", "口令", "验证码", "安全码", "校验码", "动态码", "短信码",
)  # fmt: skip
TOKEN = r"(?:(?:api|access|secret|private|session|auth)[ _-]?(?:access[ _-]?)?key|secret|token|密钥|令牌)"
APART = r"\s\"',;\x80-\U0010ffff"
"""What no password of a message holds: what sets it apart from the words around it, and Chinese."""
NO_UNIT = r"(?!\s{0,3}(?:位|秒|分|次|个|天|小时|条|digit|character|second|minute|hour|day|time))"
SHOP = re.compile(
    r"(?:(?:order|invoice|tracking|shipment|waybill|parcel|product|item|serial|case|ticket|reference)s?[\s_-]*"
    r"(?:id|no\.?|num(?:ber)?|code|#)|\b(?:imei|isbn|sku|barcode)(?: (?:no\.?|number|code))?"
    r"|(?:订单|运单|快递|物流|发票|商品|产品|序列|流水|工单|单|货)(?:编号|号码|号)|条码|条形码)"
    r"[\"']?" + r"(?:\s*(?:\bis\b|[:：=#]|是|为))*\s*[\"'#]?$",
    re.I,
)
"""What stands before a number of the shop's own."""

RULES = (
    _rule(
        "KEY",
        rf"-----BEGIN {PEM}-----[^-]*(?:-(?!----)[^-]*)*(?:-----END {PEM}-----)?",
        needs=("-----begin",),
    ),
    _rule("DATA", r"(?<=;base64,)[A-Za-z0-9+/=_-]+", needs=("base64,",)),
    _rule("DATA", r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{512,}={0,2}"),
    _rule(
        "URL", r"\b[a-z][a-z0-9+.-]{1,12}://[^\s/@:]{0,64}:[^\s/@]{1,128}@[^\s<>\"，。]+",
        needs=("://",), flags=re.I,
    ),
    _rule(
        "KEY",
        LEFT + r"(?:sk-[A-Za-z0-9_-]{16,}|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|A[KS]IA[A-Z0-9]{16}"
        r"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{20,}|glpat-[\w-]{16,}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{30,}"
        r"|ya29\.[\w-]{16,}|xox[abprs]-[\w-]{10,}|AIza[\w-]{35}|LTAI[A-Za-z0-9]{12,})",
        needs=(
            "sk-", "sk_", "rk_", "akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "hf_",
            "npm_", "ya29", "xox", "aiza", "ltai",
        ),
    ),
    _rule("KEY", r"(?<![\w-])eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{6,}", needs=("eyj",)),
    _rule("KEY", r"(?<=hooks\.slack\.com/services/)[\w/]{20,}", needs=("hooks.slack.com",)),
    _rule("KEY", r"\b(?:Bearer|Basic)\s{1,3}((?=\S*\d)[A-Za-z0-9._~+/-]{16,}=*)", flags=re.I),
    _rule(
        "KEY",
        r"[?&][\w.-]*(?:token|key|sig|signature|secret|auth|credential)=([^\s&#\"'<>]{6,})",
        mixed, flags=re.I,
    ),
    _rule("KEY", TOKEN + r"\\*[\"']?" + IS + r"\\*[\"']?([A-Za-z0-9._~+/-]{8,}=*)", mixed, flags=re.I),
    _rule(
        "EMAIL",
        rf"(?<![{LATIN}_.%+-])[.%+-]*([{LATIN}_][{LATIN}_.%+-]*(?:@|%40)"
        rf"[{LATIN}-]{{1,63}}(?:\.[{LATIN}-]{{1,63}})*\.[A-Za-z]{{2,24}})",
        needs=("@", "%40"),
    ),
    _rule("ID", LEFT + r"[1-9]\d{16}[\dXx]" + RIGHT, resident_id),
    _rule(
        "ID",
        r"(?:身份证|护照|\bpassport)(?:号码?| number| no\.?)?" + MAYBE_IS + r"([A-Z]{0,2}\d{6,17}[\dXx])" + RIGHT,
        flags=re.I,
    ),
    _rule("ID", LEFT + r"QQ(?:号码?| number)?" + MAYBE_IS + r"(\d{5,11})" + RIGHT, flags=re.I),
    _rule(
        "ID", r"(?:微信号|\bwechat id)" + MAYBE_IS + r"([A-Za-z][A-Za-z0-9_-]{5,19})" + RIGHT, no_word,
        needs=("微信号", "wechat"), flags=re.I,
    ),
    _rule("SSN", r"\b(?:SSN|social security number)" + MAYBE_IS + r"(\d{3}[ -]?\d{2}[ -]?\d{4})" + RIGHT, flags=re.I),
    _rule("SSN", LEFT + r"(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])", numbered=True),
    _rule("IBAN", LEFT + r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?" + RIGHT, iban),
    _rule("CARD", r"(?<![A-Za-z0-9#-])(?:(?:\d{4}[ .-]){3}\d{1,7}|[2-6]\d{12,18})" + RIGHT, card, numbered=True),
    _rule("CARD", r"(?<![A-Za-z0-9#-])3\d{3}[ -]\d{6}[ -]\d{4,5}" + RIGHT, card, numbered=True),
    _rule("PHONE", r"(?<![A-Za-z0-9+])(?:\+?86[ -]?)?1[3-9]\d(?:[ -]?\d{4}){2}" + RIGHT, numbered=True),
    _rule("PHONE", r"(?<![A-Za-z0-9+])\+[1-9]\d{0,2}(?:[ .-]?\(?\d{1,4}\)?){2,5}" + RIGHT, phone),
    _rule(
        "PHONE",
        r"(?<![A-Za-z0-9_$#.-])(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[.-])[2-9]\d{2}[.-]\d{4}(?![\d-])",
        numbered=True,
    ),
    _rule(
        "PHONE",
        r"(?<![A-Za-z0-9_$#.-])(?:[(（]0(?:10|2\d|[3-9]\d\d)[)）] ?|0(?:10|2\d|[3-9]\d\d)[ -])"
        r"\d{3,4}[ -]?\d{4}(?![\d-])",
        numbered=True,
    ),
    _rule(
        "PHONE",
        r"(?:\b(?:tele)?phone|\bmobile|\bcell|\btel|电话|手机|座机)(?: ?(?:number|no\.?)|号码?)?"
        + MAYBE_IS + r"([+(]?\d[\d ().-]{5,16}\d)" + RIGHT,
        phone, flags=re.I,
    ),
    _rule(
        "SECRET", PASSWORD + r"\\*[\"']\s{0,9}[:=]\s{0,9}\\*[\"']([^\"'\\]{1,128})",
        needs=PASSWORD_WORDS, flags=re.I,
    ),
    _rule("SECRET", PASSWORD + r"\\*[\"']\s{0,9}[:=]\s{0,9}(\d{3,12})", flags=re.I),
    _rule(
        "SECRET",
        PASSWORD + IS + rf"[\"'“]?(?!\d+-(?:digit|character))([^{APART}]{{2,127}}[^{APART}.!?])" + RIGHT + NO_UNIT,
        no_word, needs=PASSWORD_WORDS, flags=re.I,
    ),
    _rule("SECRET", PASSWORD + r"\s{0,3}#?\s{0,3}(\d{3,8})(?!\d)" + NO_UNIT, flags=re.I),
    _rule("SECRET", PASSWORD + r"(?:\s{1,3}|(?<=[码令]))([A-Za-z0-9@#$%^&*!_]{6,64})" + RIGHT, mixed, flags=re.I),
)  # fmt: skip
WORDS = tuple(dict.fromkeys(word for rule in RULES for word in rule.needs))
"""Text with neither any of these nor a digit holds nothing that a rule finds; most messages stop here."""
DIGIT = re.compile(r"\d")
UNSEEN = dict.fromkeys([0x00AD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), 0xFEFF])
"""Characters that show nothing -> nothing."""
WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F) if chr(code).isalnum() or chr(code) in "＠．－＿＋"}
"""Full-width letters, digits and what joins them -> ASCII; the rules know the other signs."""
PLAIN: dict[int, int | None] = {**UNSEEN, **WIDE}
"""For `str.translate`: how the rules read a text."""
