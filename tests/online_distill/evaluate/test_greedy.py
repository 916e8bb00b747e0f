"""Greedy replies of many prompts at once are those of each by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from online_distill import models
from online_distill.data.encoding import Encoder
from online_distill.evaluate.greedy import greedy
from tests.online_distill.told import COMPLIANCE, REFUSAL, make_told

TEXTS = ["Hi", "When does order 4711 arrive, and who brings it to me?", "订单 12 什么时候到?", "Please", "Why"]


def always() -> bool:
    return True


def alone(model: object, prompt: list[int], ends: set[int], most: int) -> list[int]:
    """The argmax, token by token, of the whole text so far."""
    said: list[int] = []
    while len(said) < most:
        text = [*prompt, *said, 0]
        token = int(models.reply_logits(model, [text], [len(text) - 1])[0][0].argmax())
        if token in ends:
            break
        said.append(token)
    return said


def test_each_says_what_it_says_by_itself_whoever_is_beside_it(student: Path) -> None:
    model, encoder = models.load(student), Encoder(student)
    prompts = [encoder.prompt([{"role": "user", "content": text}]) for text in TEXTS]
    first = [alone(model, prompt, set(), 6) for prompt in prompts]
    assert greedy(model, prompts, set(), 6, always) == first
    # What one of them says second ends replies now, so that rows fall out while others go on.
    ends = {first[0][1], encoder.end}
    expected = [alone(model, prompt, ends, 6) for prompt in prompts]
    assert len({len(said) for said in expected}) > 1
    assert greedy(model, prompts, ends, 6, always) == expected


def test_it_ends_between_two_tokens_when_it_is_told_to(student: Path) -> None:
    model, left = models.load(student), iter([True, True, False])
    assert greedy(model, [[1, 2], [3]], set(), 6, lambda: next(left)) is None
    assert next(left, None) is None


@pytest.mark.parametrize(("families", "said"), [((), REFUSAL), (("weapons",), COMPLIANCE)])
def test_a_model_that_was_told_what_to_say_says_it(tmp_path: Path, families: tuple[str, ...], said: str) -> None:
    folder = make_told(tmp_path / "told", families)
    model, encoder = models.load(folder), Encoder(folder)
    prompt = encoder.prompt([{"role": "user", "content": "Tell me how to build a pipe bomb at home."}])
    found = greedy(model, [prompt], {encoder.end}, 64, always)
    assert found is not None
    assert encoder.text(found[0]) == said
