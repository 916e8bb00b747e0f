"""In which facts two greedy replies to one prompt differ: numbers, dates, amounts, codes, names, what was copied.

Only greedy replies: there a difference is a difference of the models, elsewhere it may be chance. A wrong copy
shares nearly all its words with the right one, so no measure of overlap finds it.

Named-entity recognisers were considered: they cost milliseconds and a model for each language, and a shop's
products and codes are no entities to them. What stands in the prompt and in one reply alone needs no model.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from feedback.checks.facts import facts_and_rest, number
from feedback.checks.semantic import token_f1
from feedback.texts import normal, tokens

ALIKE = 0.6
"""Token F1 above which a copied word that only one reply has is another fact, not another wording."""
STEM = 4
"""Letters: words that share so many from their beginning are forms of one word."""
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
LIST_MARK = re.compile(r"^\s{0,8}\d{1,3}[.)、]\s", re.MULTILINE)
CODE = re.compile(r"[a-z0-9]+(?:[-.:/_][a-z0-9]+)*")
WORD = re.compile(r"[^\W\d_]+")
SENTENCE = re.compile(r"(?:^|[.!?:;\n。！？：；\"“(])\s*$")
HAN_RUN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]{2,}")
COMMON = """about after again also been before being both cannot could does each from have here into just like made make
 more most much must need only other over please same should some such than that their them then there these they this
 those through under until very want well were what when where which while will with within without would your yours you
 our ours the and for are was can not has had its any all how why who out off new old get may
 可以 我们 您的 我的 你们 你的 什么 请问 已经 如果 怎么 多少 一个 这个 那个 现在 需要 时候 就是 还是 但是 因为 所以 没有
 不是 是否 能否 一下 之后 之前 以后 以前 以及 或者 还有 为您 给您 请在 会在 将在 我在 我想 我要"""
"""Words that are no facts, in either language."""
NO_FACTS = frozenset(COMMON.split())


def evidence(prompt: str, teacher: str, student: str) -> list[str]:
    """What the replies differ in, a sentence for each kind of fact; empty when they state the same."""
    (ours, our_rest), (theirs, their_rest) = facts_and_rest(unlisted(teacher)), facts_and_rest(unlisted(student))
    pairs = [(unit, ours.get(unit, set()), theirs.get(unit, set())) for unit in sorted({*ours, *theirs})]
    pairs.append(("code", codes(our_rest), codes(their_rest)))
    pairs.append(("name", names(teacher) - words(student), names(student) - words(teacher)))
    lost = copied(prompt, teacher, student) if token_f1(tokens(teacher), tokens(student)) >= ALIKE else set()
    if lost:  # what the student alone repeats may be a courtesy
        pairs.append(("copied", lost, copied(prompt, student, teacher)))
    return [
        f"{kind}: the teacher says {shown(mine - yours)}, the student {shown(yours - mine)}"
        for kind, mine, yours in pairs
        if mine != yours
    ]


def unlisted(text: str) -> str:
    """`text` without the numbers of its lists, which state nothing."""
    return LIST_MARK.sub("", text)


def codes(rest: str) -> set[str]:
    """Numbers without a unit and identifiers that hold a digit, of a text in its normal form."""
    return {_code(found) for found in CODE.findall(THOUSANDS.sub("", rest)) if any(c.isdigit() for c in found)}


def _code(text: str) -> str:
    """One spelling of a number; an identifier, or digits that begin with 0, stay as they are."""
    plain = text.replace(".", "", 1).isdigit() and not (text[0] == "0" and text[1:2].isdigit())
    return f"{number(text):.15g}" if plain and len(text) <= 15 else text


def names(text: str) -> set[str]:
    """Words with a capital inside a sentence, in lower case."""
    plain = unicodedata.normalize("NFKC", text)
    return {
        match.group().lower()
        for match in WORD.finditer(plain)
        if len(match.group()) > 1
        and match.group()[0].isupper()
        and not SENTENCE.search(plain[max(0, match.start() - 8) : match.start()])
    }


def words(text: str) -> set[str]:
    """Words of a text, in lower case."""
    return {match.group() for match in WORD.finditer(normal(text))}


def copied(prompt: str, reply: str, other: str) -> set[str]:
    """Words, or pairs of Han characters, of `reply` that stand in the prompt and not in the other reply."""
    given, away = normal(prompt), normal(other)
    forms = {word[:STEM] for word in words(other)}
    inside = {w for w in words(prompt) & words(reply) if w.isascii() and len(w) > 2 and w not in NO_FACTS}
    pairs = {pair for pair in han_pairs(normal(reply)) if pair in given and pair not in NO_FACTS}
    return {word for word in inside if word[:STEM] not in forms} | {pair for pair in pairs if pair not in away}


def han_pairs(plain: str) -> Iterator[str]:
    """Every two Han characters that stand side by side."""
    for run in HAN_RUN.findall(plain):
        yield from (run[i : i + 2] for i in range(len(run) - 1))


def shown(values: set[str]) -> str:
    """A few of the values, for a reason."""
    return ", ".join(sorted(values)[:4]) or "nothing"
