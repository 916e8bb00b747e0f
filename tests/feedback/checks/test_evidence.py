"""A wrong fact shares nearly all its words with the right one, and is found; other spellings are no other facts."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest

from demo.world import Sample, satisfied, stream
from feedback.checks.building import build, run_checks
from feedback.checks.config import ChecksConfig
from feedback.checks.evidence import codes, copied, evidence, names
from feedback.checks.kinds import ReplyPair
from feedback.checks.logic import Logic
from tests.feedback.linear import expect_linear

CHECKS = build(ChecksConfig())


def failed(sample: Sample, reply: str, *, greedy: bool = True) -> bool:
    pair = ReplyPair(list(sample.messages), sample.reply, reply, sample.lang, greedy=greedy)
    return run_checks(pair, CHECKS)["logic"].failed


def wrong_replies(samples: list[Sample]) -> list[tuple[Sample, str]]:
    """Each reply with each of its facts in turn replaced by that of another sample of the intent and language."""
    chance, alike = random.Random(1), defaultdict(list)
    for sample in samples:
        alike[sample.intent, sample.lang].append(sample)
    found = []
    for sample in samples:
        for place, fact in enumerate(sample.facts):
            others = [
                s.facts[place].text for s in alike[sample.intent, sample.lang] if s.facts[place].text != fact.text
            ]
            reply = sample.reply.replace(fact.text, chance.choice(others)) if others else sample.reply
            if not satisfied(sample, reply):
                found.append((sample, reply))
    return found


def spelt_otherwise(sample: Sample) -> str:
    """The same facts in other signs: width, spaces, a courtesy at the end."""
    if sample.lang == "zh":
        return sample.reply.replace("，", ", ").replace("元", " 元") + "还有什么可以帮您？"
    return "Sure. " + sample.reply.replace("$", "$ ") + " Can I help with anything else?"


def test_wrong_facts_of_the_demos_general_traffic_are_found_and_right_ones_left_alone() -> None:
    samples = stream(5, "traffic", "general", 600)
    wrong = wrong_replies(samples)
    found = sum(failed(sample, reply) for sample, reply in wrong) / len(wrong)
    unseen = sum(failed(sample, reply, greedy=False) for sample, reply in wrong) / len(wrong)
    right = [spelt_otherwise(sample) for sample in samples]
    assert all(map(satisfied, samples, right))
    false = sum(map(failed, samples, right)) / len(samples)
    print(f"wrong facts: {found:.3f} of {len(wrong)} found, {unseen:.3f} without evidence; false {false:.4f}")
    assert found >= 0.9
    assert false <= 0.01
    assert unseen < found - 0.3


@pytest.mark.parametrize(
    ("teacher", "student"),
    [
        ("Order CK1234 is cancelled.", "Order CK1243 is cancelled."),
        ("Your new balance is 57 points.", "Your new balance is 75 points."),
        ("The warranty ends in March 2027.", "The warranty ends in March 2026."),
        ("The invoice is made out to Anna Baker.", "The invoice is made out to Anna Cole."),
        ("The parcel is due on 2024-03-05.", "The parcel is due on 2025-03-05."),
        ("We will exchange the blue kettle for you.", "We will exchange the grey kettle for you."),
        ("订单的发票抬头为王伟，您可以在账户里下载。", "订单的发票抬头为王强，您可以在账户里下载。"),
        ("星期天上门取件。", "星期一上门取件。"),
        ("The code is 0123.", "The code is 123."),
    ],
)
def test_another_fact_is_evidence(teacher: str, student: str) -> None:
    prompt = "I want to exchange the blue kettle. 我叫王伟，请开发票。"
    assert evidence(prompt, teacher, student)
    assert not evidence(prompt, teacher, teacher)
    assert Logic()(ReplyPair([{"role": "user", "content": prompt}], teacher, student, greedy=True)).failed


@pytest.mark.parametrize(
    ("teacher", "student"),
    [
        ("It takes three days.", "It takes 3 days."),
        ("The total is $1,250.00.", "The total is 1250 dollars."),
        ("您的订单3天后送达。", "您的订单三天后送达。"),
        ("1. Open the app.\n2. Choose the kettle.", "Open the app. Choose the kettle."),
        ("We cancelled the kettle for you.", "The kettle has been cancelled for you."),
        ("It holds 1,024 entries.", "It holds 1024 entries."),
        ("The kettles are back.", "The kettle is back."),
    ],
)
def test_the_same_fact_in_other_words_is_none(teacher: str, student: str) -> None:
    assert evidence("Where is my blue kettle? 请问3天能到吗", teacher, student) == []


def test_only_greedy_replies_are_held_to_every_number() -> None:
    pair = ReplyPair([], "Take line 7 to the shop.", "Take line 9 to the shop.")
    assert not Logic()(pair).failed
    finding = Logic()(ReplyPair([], pair.teacher, pair.student, greedy=True))
    assert (finding.failed, finding.score) == (True, 0.0)
    assert finding.reasons == ("code: the teacher says 7, the student 9",)


def test_what_counts_as_code_name_and_copy() -> None:
    assert codes("gc-41 of 12.50 and 007, not abc") == {"gc-41", "12.5", "007"}
    assert names("Dear Anna Baker. Your Bill is with ＩＢＭ. Thanks") == {"anna", "baker", "bill", "ibm"}
    assert copied("my blue kettle", "the blue kettle", "the grey kettle") == {"blue"}
    assert copied("我的蓝色水壶", "蓝色水壶", "红色水壶") == {"蓝色"}
    assert copied("我们的水壶", "我们有", "有") == set()


def test_evidence_takes_time_that_grows_with_the_text_alone() -> None:
    for part in ("a", "1", "1.", "a-1-", "1,", "蓝色", "A ", " 1. "):
        expect_linear(lambda text: evidence(text, text, text + "x"), (part,), ("",))


def test_texts_without_a_single_word_are_compared_all_the_same() -> None:
    assert not evidence("Where is it?", "%%%%", "!!!")
    assert not evidence("", "", "")
