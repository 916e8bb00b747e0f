"""The generator: pure, split cleanly, a third computed, and checked by facts that notice a wrong figure."""

import re
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo import world
from demo.world import chinese, english, values
from demo.world.intents import INTENTS
from serving.up.report.demands import states

SPLITS = ("train", "traffic", "eval")
FAMILIES = ("general", "drift")


@given(st.integers(0, 2**40), st.sampled_from(SPLITS), st.sampled_from(FAMILIES), st.sampled_from(("en", "zh", None)))
def test_a_sample_is_a_pure_function_of_its_arguments(seed: int, split: str, family: str, lang: str | None) -> None:
    first = world.sample(seed, split, family, lang)
    assert first == world.sample(seed, split, family, lang)
    assert first.messages[-1]["role"] == "user"
    assert first.family == family
    assert lang in (None, first.lang)


@given(st.integers(0, 2**40), st.sampled_from(SPLITS), st.sampled_from(FAMILIES))
def test_the_right_reply_satisfies_its_own_facts(seed: int, split: str, family: str) -> None:
    drawn = world.sample(seed, split, family)
    assert drawn.facts
    assert world.satisfied(drawn, drawn.reply)
    assert "{" not in drawn.reply + drawn.messages[0]["content"]


def test_the_reply_is_a_function_of_the_prompt() -> None:
    replies: dict[tuple[str, ...], str] = {}
    for drawn in (world.sample(seed, "train", "general") for seed in range(6000)):
        key = tuple(message["content"] for message in drawn.messages)
        assert replies.setdefault(key, drawn.reply) == drawn.reply


def test_streams_have_distinct_prompts_and_shorter_ones_are_their_beginnings() -> None:
    long = world.stream(7, "traffic", "drift", 300)
    assert len({tuple(m["content"] for m in drawn.messages) for drawn in long}) == 300
    assert world.stream(7, "traffic", "drift", 40) == long[:40]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_there_are_enough_intents_and_templates_and_a_fifth_is_held_out(lang: str) -> None:
    taught = [intent for intent in INTENTS if intent.family == "general"]
    assert len(taught) >= 12
    assert {intent.name for intent in INTENTS} == set((english if lang == "en" else chinese).PHRASES)
    for intent in INTENTS:
        train, held = (set(world.templates(intent.name, lang, split)) for split in ("train", "eval"))
        assert not train & held
        assert len(train) == 20
        assert len(held) == 5
        assert world.templates(intent.name, lang, "traffic") == world.templates(intent.name, lang, "train")


def test_templates_are_told_apart_beyond_the_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    name = INTENTS[0].name
    phrases = english.PHRASES[name]
    numbered = tuple(f"<{number}> {phrases.contexts[0]}" for number in range(12))
    monkeypatch.setitem(english.PHRASES, name, replace(phrases, contexts=numbered))
    samples = (world.sample(seed, "train", INTENTS[0].family, "en") for seed in range(3000))
    drawn = [sample for sample in samples if sample.intent == name]
    used = [re.search(r"<(\d+)>", sample.messages[0]["content"]).group(1) for sample in drawn]
    assert set(used) == {str(number) for number in range(12)}
    assert all(f"/c{number}q" in sample.template for number, sample in zip(used, drawn, strict=True))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_training_and_evaluation_share_no_template_and_no_entity(lang: str) -> None:
    seen: dict[str, set[str]] = {}
    for side in ("train", "eval"):
        drawn = world.stream(3, side, "general", 1500, lang) + world.stream(3, side, "drift", 300, lang)
        texts = {f"template:{d.template}" for d in drawn}
        for d in drawn:
            whole = d.messages[0]["content"] + d.messages[-1]["content"]
            texts |= set(re.findall(r"[A-Z]{2}\d{4}", whole))
            texts |= {f"product:{a}{b}" for a, b in re.findall(_products(lang), whole)}
        seen[side] = texts
    assert len(seen["train"]) > 500
    assert len(seen["eval"]) > 300
    assert not seen["train"] & seen["eval"]


def _products(lang: str) -> str:
    adjectives, nouns = ("|".join(table[lang].split()) for table in (values.ADJECTIVES, values.NOUNS))
    return f"({adjectives}) ?({nouns})"


def test_pairs_of_amounts_and_dates_stay_on_their_side() -> None:
    for side in ("train", "eval"):
        for drawn in world.stream(9, side, "general", 1500, "en"):
            if drawn.intent == "points_total":
                a, b = re.findall(r"\d+", drawn.reply)[1::-1]
                assert values.held_out(f"{a}+{b}") == (side == "eval")
            if drawn.intent == "delivery_date":
                month, day = re.search(r"from (\w+) (\d+)", drawn.reply).groups()
                assert values.held_out(f"{values.MONTHS.index(month) + 1}/{day}") == (side == "eval")


def test_at_least_thirty_percent_of_the_replies_hold_a_computed_fact() -> None:
    for lang in ("en", "zh"):
        drawn = world.stream(2, "traffic", "general", 1000, lang)
        assert sum(map(world.computed, drawn)) / 1000 >= 0.30
        kinds = Counter(fact.kind for sample in drawn for fact in sample.facts)
        assert set(kinds) == {"date", "amount", "sum", "cause", "copy"}


def test_two_turn_dialogues_occur_and_put_the_entities_in_the_first_turn() -> None:
    long = [d for d in world.stream(4, "train", "general", 600) if len(d.messages) > 1]
    assert 40 < len(long) < 160
    assert all([m["role"] for m in d.messages] == ["user", "assistant", "user"] for d in long)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("intent", [i.name for i in INTENTS if i.computed and "cause" not in i.name])
def test_the_check_notices_a_wrong_number_or_date(intent: str, lang: str) -> None:
    family = "drift" if intent in world.drift_intents() else "general"
    drawn = next(d for d in world.stream(6, "eval", family, 400, lang) if d.intent == intent)
    fact = next((f for f in drawn.facts if f.kind in ("date", "sum", "cause")), None)
    assert fact is not None
    wrong = _spoilt(fact.text, lang)
    spoilt = drawn.reply.replace(fact.text, wrong)
    assert spoilt != drawn.reply
    assert not world.satisfied(drawn, spoilt)


def _spoilt(text: str, lang: str) -> str:
    digits = re.findall(r"\d+", text)
    if digits:
        return text.replace(digits[-1], str(int(digits[-1]) + 1))
    days = values.WEEKDAYS[lang].split()
    return days[(days.index(text) + 1) % 7] if text in days else text[::-1]


@pytest.mark.parametrize(
    ("kind", "text", "reply", "held"),
    [
        ("sum", "$45", "It comes to $ 45 in total.", True),
        ("sum", "$45", "It comes to $455.", False),
        ("sum", "45元", "合计 45 元。", True),
        ("sum", "45元", "合计145元。", False),
        ("sum", "45 points", "a balance of 3.45 points", False),
        ("date", "March 17", "until march 17, please", True),
        ("date", "March 1", "until March 17", False),
        ("date", "3月17日", "最后一天是３月１７日", True),
        ("date", "3月7日", "最后一天是3月17日", False),
        ("date", "Friday", "on friday", True),
        ("copy", "red lamp", "the red lamps", False),
        ("copy", "AB1234", "order ab 1234", True),
    ],
)
def test_facts_are_matched_whole_whatever_the_spacing(kind: str, text: str, reply: str, held: bool) -> None:
    assert states(reply, text) is held
