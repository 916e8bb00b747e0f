"""Check digits and other marks by which a number shows what it is."""

from __future__ import annotations

import re

IBAN_COUNTRIES = re.compile(
    "A[DELTZ]|B[AEGHRY]|C[HRYZ]|D[EKO]|E[EGS]|F[IOR]|G[BEILRT]|H[RU]|I[ELQST]|JO|K[WZ]|L[BCITUVY]|M[CDEKRTU]"
    "|N[LO]|P[KLST]|QA|R[OS]|S[ACEIKMV]|T[LNR]|UA|V[AG]|XK"
)
ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|35\d{14}|5[1-5]\d{14}|2[2-7]\d{14}|6\d{15,18}"
)
"""Visa, American Express, Diners Club, JCB, Mastercard (two ranges); Discover, Maestro and UnionPay."""
NO_DIGIT = re.compile(r"\D")
PROVINCES = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[12]")
"""First digits of a resident number (GB/T 2260)."""
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
GROWN_UP = 2012
"""Who was born later writes to no shop; what an order's number holds as a date is later."""
CALENDAR = re.compile(
    r"(?:19|20)\d\d(?P<s>[-/. ]?)(?:0?[1-9]|1[0-2])(?P=s)(?:0[1-9]|[12]\d|3[01]|[1-9])(?!\d)"
    r"|(?:0?[1-9]|[12]\d|3[01])(?P<t>[-/. ])(?:0?[1-9]|[12]\d|3[01])(?P=t)(?:19|20)\d\d(?!\d)"
)
"""A day, with the year first or last."""


def luhn(text: str) -> bool:
    """Whether the digits of `text` end with a right Luhn check digit (ISO/IEC 7812)."""
    digits = [int(c) for c in text if c.isdigit()]
    total = sum(d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(reversed(digits)))
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and total % 10 == 0


def card(text: str) -> bool:
    """Whether `text` is a payment card's number: an issuer's range and length, and the check digit."""
    return bool(ISSUERS.fullmatch(NO_DIGIT.sub("", text))) and luhn(text)


def resident_id(text: str) -> bool:
    """Whether `text` is a Chinese resident number: date of birth and check digit of GB 11643-1999."""
    return _born(text, 2099) and text[17].upper() == "10X98765432"[
        sum(int(c) * w for c, w in zip(text, WEIGHTS, strict=False)) % 11
    ]  # fmt: skip


def like_resident_id(text: str) -> bool:
    """Whether `text` is one of a grown-up but for its check digit, as people type and invent them."""
    return bool(PROVINCES.match(text)) and _born(text, GROWN_UP)


def _born(text: str, latest: int) -> bool:
    return 1900 <= int(text[6:10]) <= latest and 1 <= int(text[10:12]) <= 12 and 1 <= int(text[12:14]) <= 31


def iban(text: str) -> bool:
    """Whether `text` passes the remainder check of ISO 13616."""
    plain = text.replace(" ", "").upper()
    turned = plain[4:] + plain[:4]
    return (
        15 <= len(plain) <= 34
        and bool(IBAN_COUNTRIES.fullmatch(plain[:2]))
        and int("".join(str(int(c, 36)) for c in turned)) % 97 == 1
    )


def ipv4(text: str) -> bool:
    """Whether `text` is the address of a machine that may be somebody's: not a mask, not this host."""
    parts = [int(part) for part in text.split(".")]
    return max(parts) <= 255 and parts[0] not in (0, 127, 255) and not any(p[0] == "0" < p[1:] for p in text.split("."))


def calendar_day(text: str) -> bool:
    """Whether `text` begins with a day of the calendar."""
    return bool(CALENDAR.match(text))
