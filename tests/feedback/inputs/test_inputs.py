"""Each detector finds its kind, in both languages, and leaves ordinary questions alone."""

from __future__ import annotations

import gzip
import json
from collections import Counter

import pytest

from feedback.events import INPUT_KINDS
from feedback.inputs import DETECTORS, input_kinds
from tests.shared_data import data_file

HARD = [
    ("ambiguity", "why does it not work?"),
    ("ambiguity", "那个怎么弄？"),
    ("grammar", "he have not received the parcel"),
    ("grammar", "我的的快递到哪里了了"),
    ("mixed_domain", "Can I get a refund if my prescription dosage was wrong?"),
    ("mixed_domain", "我的订单退款会影响股票吗"),
    ("multi_intent", "Where is my parcel now? And how do I change the address?"),
    ("multi_intent", "我想查一下快递到哪里了，另外帮我改一下收货地址"),
    ("nested", "If it has not shipped, cancel it, unless the fee is above 5 dollars"),
    ("nested", "如果还没发货就取消，要是已经发货的话我就拒收"),
    ("truncated", "I would like to return the shoes because"),
    ("truncated", "我想退货，因为"),
    ("truncated", "§§¶¶ wh#re ¤¤¤ is ∆∆∆∆∆∆ my ◊◊◊◊ parcel"),
]
EASY = [
    "Where is my order W2378156?", "When will the parcel arrive?", "I want to return these shoes.",
    "How much is the fee?", "我的订单什么时候发货？", "请问退货运费谁承担？", "可以开发票吗",
    "我想修改收货地址。", "Hello", "你好", "ok thanks", "好的",
]  # fmt: skip


def kinds(text: str) -> tuple[str, ...]:
    return input_kinds([{"role": "user", "content": text}])


@pytest.mark.parametrize(("kind", "text"), HARD)
def test_hard_questions_are_found(kind: str, text: str) -> None:
    assert kind in kinds(text)


@pytest.mark.parametrize("text", EASY)
def test_ordinary_questions_are_left_alone(text: str) -> None:
    assert kinds(text) == ()


def test_a_pronoun_with_something_before_it_is_not_ambiguous() -> None:
    messages = [
        {"role": "user", "content": "我买了一个水壶"},
        {"role": "assistant", "content": "好的"},
        {"role": "user", "content": "它坏了"},
    ]
    assert "ambiguity" not in input_kinds(messages)


def test_every_kind_has_a_detector() -> None:
    assert tuple(DETECTORS) == INPUT_KINDS


def test_messages_without_text_have_no_kind() -> None:
    assert input_kinds([]) == ()
    assert input_kinds([{"role": "user", "content": None}]) == ()
    assert input_kinds([{"role": "user", "content": [{"type": "image_url"}]}]) == ()


def test_real_questions_are_mostly_left_alone() -> None:
    counts: Counter[str] = Counter()
    questions = 0
    with gzip.open(data_file("dialogues.jsonl.gz"), "rt", encoding="utf-8") as lines:
        for index, line in enumerate(lines):
            if index % 25:
                continue
            messages = json.loads(line)["messages"]
            for place, message in enumerate(messages):
                if message["role"] == "user":
                    questions += 1
                    counts.update(input_kinds(messages[: place + 1]))
    print(f"{dict(counts)} of {questions} real questions")
    assert counts.total() < 0.15 * questions
