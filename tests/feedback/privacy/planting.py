"""Turns in which personal values, the words beside them and pieces of both are planted, by seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.feedback.privacy.cases import CASES
from tests.feedback.privacy.detect.messages import HARMLESS, personal
from tests.feedback.privacy.oracle import names, places, secrets, spelled
from tests.feedback.privacy.oracle.labels import MEANINGS
from tests.feedback.privacy.oracle.personal import RULES
from trials.personal import generated
from trials.turns import turns

WORDS = sorted({
    *MEANINGS, *secrets.WORDS, *spelled.SIGNS, *spelled.UNITS, *spelled.TEENS, *spelled.TENS, *spelled.TIMES,
    *names.SIGNS_OF_HAN, *names.SIGNS_OF_SELF, *names.SIGNS_OF_STRONG, *names.SIGNS_OF_WEAK,
    *places.SIGNS_OF_LATIN, *places.SIGNS_OF_HAN, *(word for rule in RULES for word in (*rule.needs, *rule.also)),
})  # fmt: skip
JOINTS = (
    " ", " ", " ", " is ", " to ", ": ", ":", "=", "：", "是", "为", "叫", ", ", "，", "。", ". ", "\n", "-",
    ".", "/", "(", ")",
    "（", "@", "#", "+", "'s ", '"', '": "', "“", " of ", "\u00a0", "\u2013", "、", "", "", "", "%", "我",
    "\u200b", "_", "|",
)  # fmt: skip
ENDS = (
    "street", "Street", "Rd", "Maple Avenue", "apt 4", "PO Box", "rue de Rivoli", "Hauptstraße", "号楼", "栋",
    "单元", "室",
    "号", "路", "街道", "小区", "北京市海淀区中关村", "王伟", "李小明", "欧阳娜娜", "John", "Mary Ann",
    "O'Brien", "von der Leyen",
    "gmail", "com", "example.com", "qq.com", "中国", "京A", "沪B", "DE89", "GB29", "wxid_ab12", "hunter2",
    "correct horse",
    "0x", "x", "X", "ab", "F", "月落乌啼", "的", "了", "吗", "谢谢", "元", "dollars", "次", "speaking", "o",
    "oh", "plus",
    "Monday", "2024", "1990-01-02", "05/26", "3rd of May", "ſ", "İ", "ı", "K", "ID", "NAME", "é", "😀", "٣",
    "１２", "一三八",
    "零", "两", "ext. 12", "转8001", "v", "version", "-----BEGIN", "PRIVATE KEY-----", "sk-", "eyJ", "://", "a:b@",
)  # fmt: skip


def planted(count: int, seed: int) -> Iterator[str]:
    """So many texts: real turns with whole values, with loose pieces, with both, and such pieces alone."""
    chance = random.Random(seed)
    spoken = {name: turns(name).stretches(chance.choice((60, 120, 300, 700)), seed) for name in ("en", "zh")}
    rows = generated(seed, count * 3)
    whole = [*(text for text, _ in CASES), *personal(), *HARMLESS.strip().splitlines()]
    for number in range(count):
        text = next(spoken[chance.choice(("en", "zh"))]) if number % 4 else ""
        for _ in range(chance.randrange(4)):
            text = _with(text, chance.choice((next(rows).text, chance.choice(whole))), chance)
        if number % 2 or not text:
            for _ in range(chance.randrange(1, 4)):
                text = _with(text, _pieces(chance), chance)
        yield _written(text, chance)


def _with(text: str, piece: str, chance: random.Random) -> str:
    """`piece` somewhere in `text`, more often than not between two words."""
    at = chance.randrange(len(text) + 1)
    if chance.random() < 0.7:
        at = max(text.rfind(" ", 0, at), text.rfind("，", 0, at), text.rfind("\n", 0, at)) + 1
    return text[:at] + piece + chance.choice(JOINTS) + text[at:]


def _pieces(chance: random.Random) -> str:
    parts = []
    for _ in range(chance.randrange(2, 14)):
        part = chance.choice((_number, _number, _word, _word, _end))(chance)
        parts += [part, chance.choice(JOINTS)]
    return "".join(parts)


def _number(chance: random.Random) -> str:
    length = chance.choice((1, 2, 3, 3, 4, 4, 4, 5, 6, 8, 11, 11, 16, 18))
    head = chance.choice(("", "", "1", "138", "0", "+86 ", "6222", "110105199", "400", "8"))
    return (head + "".join(chance.choice("0123456789") for _ in range(length)))[: length + head.count("+") * 4]


def _word(chance: random.Random) -> str:
    return chance.choice(WORDS)


def _end(chance: random.Random) -> str:
    return chance.choice(ENDS)


def _written(text: str, chance: random.Random) -> str:
    how = chance.random()
    if how < 0.05:
        return text.upper()
    if how < 0.1:
        return text.title()
    if how < 0.13:
        return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)
    return text
