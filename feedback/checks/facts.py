"""Facts with a unit in a text: money, counts, durations, dates, times, percentages; English and Chinese.

Duckling and dateparser were considered: one is a Haskell service, the other takes milliseconds a
call and guesses freely; a check needs to be quick, and to say nothing rather than something wrong.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable

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
    return facts_and_rest(text)[0]


def facts_and_rest(text: str) -> tuple[dict[str, set[str]], str]:
    """The facts of a text, and its normal form with spaces in the place of their wording; a date's year stays."""
    plain = normal(text)
    found: dict[str, set[str]] = defaultdict(set)
    spans: list[tuple[int, int]] = []
    for unit, pattern in PATTERNS:
        for match in pattern.finditer(plain):
            value = number(match.group(1))
            if value is not None:
                found[unit].add(f"{value:g}")
                spans.append(match.span())
    for unit, one_spelling, patterns in SPELT:
        for match in (match for pattern in patterns for match in pattern.finditer(plain)):
            value_of = one_spelling(match)
            if value_of is not None:
                found[unit].add(value_of)
                spans.append((max(match.start(), match.start(1)), match.end()))
    return dict(found), _without(plain, spans)


def _without(plain: str, spans: list[tuple[int, int]]) -> str:
    left = list(plain)
    for start, end in spans:
        left[start:end] = " " * (end - start)
    return "".join(left)


def _date(match: re.Match[str]) -> str | None:
    """Month and day, whichever of them comes first and whether the month is a name or a number."""
    parts = [str(MONTHS.index(part) + 1) if part in MONTHS else part for part in match.groups()]
    month, day = map(int, reversed(parts) if match.re is DAY_MONTH else parts)
    return f"{month}-{day}" if 1 <= month <= 12 and 1 <= day <= 31 else None


def _time(match: re.Match[str]) -> str:
    hour, half = int(match.group(1)), (match.group(3) or "")[:1]
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return f"{hour}:{match.group(2)}"


def _weekday(match: re.Match[str]) -> str:
    return str(DAYS.index(match.group(1)) if match.group(1) else min("一二三四五六日天".index(match.group(2)), 6))


SPELT: tuple[tuple[str, Callable[[re.Match[str]], str | None], tuple[re.Pattern[str], ...]], ...] = (
    ("date", _date, (ISO_DATE, ZH_DATE, MONTH_DAY, DAY_MONTH)),
    ("time", _time, (TIME,)),
    ("weekday", _weekday, (WEEKDAY,)),
)
"""Units whose values have spellings of their own: how one spelling is made of a match, and what matches."""
