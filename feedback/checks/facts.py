"""Facts with a unit in a text: money, counts, durations, dates, times, percentages; English and Chinese.

Duckling and dateparser were considered: one is a Haskell service, the other takes milliseconds a
call and guesses freely; a check needs to be quick, and to say nothing rather than something wrong.
"""

from __future__ import annotations

import re
from collections import defaultdict

from feedback.texts import normal

DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
SCALES = {"十": 10, "百": 100, "千": 1000}
WORDS = {
    w: i
    for i, w in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905, one line
    )
}
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905, one line
DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()  # noqa: SIM905, one line
FIRST = r"(?<!\d)(?<!\d\.)"
"""Where a number begins. With it, and with no more digits than a fact has, no text takes long."""
DIGITAL = r"\d{1,15}(?:,\d{3}){0,4}(?:\.\d{1,15})?"
NUMERALS = "零一二两三四五六七八九十百千"
N = rf"({FIRST}{DIGITAL}|(?<![{NUMERALS}])[{NUMERALS}]{{1,15}}|\b(?:" + "|".join(WORDS) + r")\b)"
MONTH = r"(" + "|".join(MONTHS) + r")[a-z]*\.?"

PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("money", re.compile(rf"[$€£¥]\s?({DIGITAL})")),
    ("money", re.compile(N + r"\s?(?:dollars?|usd|euros?|eur|pounds?|yuan|rmb|cny|元|块钱?|人民币)")),
    ("percent", re.compile(rf"({FIRST}{DIGITAL})\s?(?:%|percent)")),
    ("percent", re.compile(r"百分之([零一二两三四五六七八九十百]{1,15}|\d{1,15})")),
    ("discount", re.compile(r"(\d(?:\.\d)?|[一二三四五六七八九])折")),
    ("minutes", re.compile(N + r"[\s-]?(?:minutes?|mins?\b|分钟)")),
    ("hours", re.compile(N + r"[\s-]?(?:hours?|hrs?\b|个?小时)")),
    ("days", re.compile(N + r"[\s-]?(?:(?:business|working|calendar)\s)?(?:days?\b|个?(?:工作日|自然日)|天)")),
    ("weeks", re.compile(N + r"[\s-]?(?:weeks?\b|个?(?:星期|周)(?![一二三四五六日天]))")),
    ("months", re.compile(N + r"[\s-]?(?:months?\b|个月)")),
    ("years", re.compile(N + r"[\s-]?(?:years?\b|年(?![\d一二三四五六七八九十]))")),
    ("items", re.compile(N + r"\s?(?:items?|pieces?|units?|件|个(?![月小工自星周])|台|张|双|箱|盒)")),
    ("nights", re.compile(N + r"\s?(?:nights?|晚)")),
    ("people", re.compile(N + r"\s?(?:people|persons?|guests?|位|人)")),
)
TIME = re.compile(r"(?<![\d:])(\d{1,2}):(\d{2})(?::\d{2})?(?!\d)\s?(am|pm|a\.m\.|p\.m\.)?")
ISO_DATE = re.compile(r"(?<!\d)(?:\d{4}[-/.年]\s?)(\d{1,2})[-/.月]\s?(\d{1,2})(?!\d)")
ZH_DATE = re.compile(r"(?<!\d)(\d{1,2})月(\d{1,2})[日号]?")
MONTH_DAY = re.compile(r"\b" + MONTH + r"\s(\d{1,2})(?:st|nd|rd|th)?(?!\d)")
DAY_MONTH = re.compile(r"(?<!\d)(\d{1,2})(?:st|nd|rd|th)?\s(?:of\s)?" + MONTH + r"\b")
WEEKDAY = re.compile(r"\b(" + "|".join(DAYS) + r")\b|(?:星期|周|礼拜)([一二三四五六日天])")


def number(text: str) -> float | None:
    """Value of digits, an English word up to twelve, or a Chinese numeral below ten thousand."""
    if text in WORDS:
        return float(WORDS[text])
    if text[0].isdigit():
        return float(text.replace(",", ""))
    total, digit = 0, 0
    for c in text:
        if c in DIGITS:
            digit = DIGITS[c]
        else:
            total += (digit or (1 if c == "十" else 0)) * SCALES[c]
            digit = 0
    return float(total + digit)


def facts(text: str) -> dict[str, set[str]]:
    """Values by unit, in one spelling: {"money": {"12.5"}, "date": {"3-15"}, ...}."""
    plain = normal(text)
    found: dict[str, set[str]] = defaultdict(set)
    for unit, pattern in PATTERNS:
        for match in pattern.finditer(plain):
            value = number(match.group(1))
            if value is not None:
                found[unit].add(f"{value:g}")
    found["date"] |= _dates(plain)
    found["time"] |= {_time(match) for match in TIME.finditer(plain)}
    for match in WEEKDAY.finditer(plain):
        index = DAYS.index(match.group(1)) if match.group(1) else "一二三四五六日天".index(match.group(2)) % 7
        found["weekday"].add(str(min(index, 6)))
    return {unit: values for unit, values in found.items() if values}


def _dates(plain: str) -> set[str]:
    pairs = [m.groups() for pattern in (ISO_DATE, ZH_DATE) for m in pattern.finditer(plain)]
    pairs += [(str(MONTHS.index(m.group(1)) + 1), m.group(2)) for m in MONTH_DAY.finditer(plain)]
    pairs += [(str(MONTHS.index(m.group(2)) + 1), m.group(1)) for m in DAY_MONTH.finditer(plain)]
    return {f"{int(month)}-{int(day)}" for month, day in pairs if 1 <= int(month) <= 12 and 1 <= int(day) <= 31}


def _time(match: re.Match[str]) -> str:
    hour, half = int(match.group(1)), (match.group(3) or "")[:1]
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return f"{hour}:{match.group(2)}"
