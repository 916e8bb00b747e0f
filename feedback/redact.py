"""The first redactor, before anything is stored: personal values give way to typed surrogates.

One value has one surrogate throughout an exchange (`<EMAIL_1>` in the question is `<EMAIL_1>` in
the reply). Microsoft Presidio was considered: it wants spaCy models of hundreds of megabytes and
milliseconds for each message, and is weak on Chinese identifiers; the values here have shapes and
check digits, which are enough to leave order numbers, dates and amounts alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from feedback.events import Exchange
from understudy.ids import stable_id

Valid = Callable[[str], bool]
IBAN_COUNTRIES = re.compile(
    "A[DELTZ]|B[AEGHRY]|C[HRYZ]|D[EKO]|E[EGS]|F[IOR]|G[BEILRT]|H[RU]|I[ELQST]|JO|K[WZ]|L[BCITUVY]|M[CDEKRTU]"
    "|N[LO]|P[KLST]|QA|R[OS]|S[ACEIKMV]|T[LNR]|UA|V[AG]|XK"
)


def luhn(text: str) -> bool:
    """Whether the digits of `text` end with a right Luhn check digit (ISO/IEC 7812)."""
    digits = [int(c) for c in text if c.isdigit()]
    total = sum(d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(reversed(digits)))
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and total % 10 == 0


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
    """Whether an international number has as many digits as E.164 allows."""
    return 8 <= sum(c.isdigit() for c in text) <= 15


def _always(_: str) -> bool:
    return True


LEFT, RIGHT = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"
CARD_LEFT = r"(?<![A-Za-z0-9#-])"
SECRET_WORD = (
    r"(?<![A-Za-z])(?:password|passcode|passwd|pwd|pin(?: code| number)?|cvv|cvc|security code|verification code|otp"
    r"|密码|口令|验证码|安全码|校验码)"
)
RULES: tuple[tuple[str, re.Pattern[str], Valid], ...] = (
    ("URL", re.compile(r"\b[a-z][a-z0-9+.-]{1,12}://[^\s/@:]{1,64}:[^\s/@]{1,128}@[^\s<>\"，。]+", re.I), _always),
    (
        "KEY",
        re.compile(
            LEFT + r"(?:sk-[A-Za-z0-9_-]{16,}|AKIA[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{30,}|xox[abprs]-[\w-]{10,}"
            r"|AIza[\w-]{35}|LTAI[A-Za-z0-9]{12,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{6,})"
        ),
        _always,
    ),
    ("KEY", re.compile(r"(?<=Bearer )[A-Za-z0-9._~+/-]{16,}=*"), _always),
    (
        "EMAIL",
        re.compile(r"[A-Za-z0-9][\w.%+-]{0,63}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\.[A-Za-z]{2,24}"),
        _always,
    ),
    ("ID", re.compile(LEFT + r"[1-9]\d{16}[\dXx]" + RIGHT), resident_id),
    ("SSN", re.compile(LEFT + r"(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])"), _always),
    ("IBAN", re.compile(LEFT + r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?" + RIGHT), iban),
    ("CARD", re.compile(CARD_LEFT + r"(?:(?:\d{4}[ -]){3}\d{1,7}|[2-6]\d{12,18})" + RIGHT), luhn),
    ("PHONE", re.compile(r"(?<![A-Za-z0-9+])(?:\+?86[ -]?)?1[3-9]\d(?:[ -]?\d{4}){2}" + RIGHT), _always),
    ("PHONE", re.compile(r"(?<![\w+])\+[1-9]\d{0,2}(?:[ .-]?\(?\d{1,4}\)?){2,5}" + RIGHT), phone),
    ("PHONE", re.compile(r"(?<![\w$#.-])(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4}(?![\d-])"), _always),
    ("PHONE", re.compile(r"(?<![\d-])0\d{2,3}-\d{7,8}(?![\d-])"), _always),
    (
        "SECRET",
        re.compile(
            SECRET_WORD + r"(?:\s*(?:is|was|are|[:：=]|是|为)\s*)[\"'“]?([^\s\"'”，。,;；]{2,63}[^\s\"'”，。,;；.])",
            re.I,
        ),
        lambda text: bool(re.search(r"\d", text)) or not text.isalpha() or not text.isascii(),
    ),
    ("SECRET", re.compile(SECRET_WORD + r"\s*#?\s*(\d{3,8})(?!\d)", re.I), _always),
)
HINT = re.compile(r"[@\d]|://|Bearer |pass|pwd|pin|otp|cv[vc]|code|[码令]|sk-|eyJ|gh[opsru]_|xox|AIza", re.I)
"""Text without any of these holds nothing that a rule finds; most messages stop here."""


class Redactor:
    """Surrogates of one exchange. `found` counts the values replaced so far by type."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self.found: dict[str, int] = {}

    def text(self, text: str) -> str:
        """`text` with personal values replaced."""
        if not HINT.search(text):
            return text
        for kind, pattern, valid in RULES:
            text = pattern.sub(lambda m, k=kind, v=valid: self._replace(m, k, v), text)  # type: ignore[misc]
        return text

    def value(self, value: Any) -> Any:
        """A JSON value with every string in it redacted; keys stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        return value

    def _replace(self, match: re.Match[str], kind: str, valid: Valid) -> str:
        group = 1 if match.re.groups else 0
        value = match.group(group)
        if not valid(value) or value.startswith("<"):
            return match.group(0)
        same = re.sub(r"[ .()-]", "", value).lower() if kind in ("PHONE", "CARD", "IBAN") else value.lower()
        name = self._names.get((kind, same))
        if name is None:
            self.found[kind] = self.found.get(kind, 0) + 1
            name = self._names[kind, same] = f"<{kind}_{self.found[kind]}>"
        start, end = match.span(group)
        offset = match.start()
        whole = match.group(0)
        return whole[: start - offset] + name + whole[end - offset :]


def redact_exchange(exchange: Exchange) -> Exchange:
    """The exchange with surrogates, marked when there are any; ids, versions and numbers stay.

    The unit and the user id are hashed where they hold a personal value themselves.
    """
    redactor = Redactor()
    messages = redactor.value(exchange.messages)
    reply = redactor.text(exchange.reply)
    changed: dict[str, Any] = {}
    if redactor.found:
        changed = {"messages": messages, "reply": reply, "redacted": True}
    for field in ("unit", "user", "session"):
        value = getattr(exchange, field)
        if value and (hashed := pseudonym(value)) != value:
            changed[field] = hashed
    params = redactor.value(exchange.params)
    if params != exchange.params:
        changed["params"] = params
    return exchange.model_copy(update=changed) if changed else exchange


def pseudonym(value: str) -> str:
    """`value`, or a hash of it where it is an e-mail address, a number of a person or the like."""
    return value if Redactor().text(value) == value else "p-" + stable_id("pseudonym", value)
