"""What an API tells beside a reply, and what cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.engines.told import SaidToken, text_tokens, told_chat


def entry(text: str, logprob: float = -0.5, raw: list[int] | None = None, **more: Any) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode()) if raw is None else raw, **more}


def answer(text: str, content: list[dict[str, Any]] | None) -> str:
    choice = {"message": {"content": text}, "finish_reason": "stop", "logprobs": content and {"content": content}}
    usage = {"prompt_tokens": 7, "completion_tokens": 2}
    return json.dumps({"model": "big-1", "system_fingerprint": "fp", "choices": [choice], "usage": usage})


def said(text: str, content: list[dict[str, Any]] | None) -> Any:
    return told_chat("m", [], 8, 2).read(answer(text, content))


def test_a_reply_is_read_with_all_that_is_told_of_it() -> None:
    top = [entry("He", -0.25), entry("She", -1.5)]
    found = said("He 你", [entry("He", top_logprobs=top), entry(" 你"), entry("<end>")])
    assert (found.text, found.finish_reason, found.served, found.fingerprint, found.spent) == (
        "He 你", "stop", "big-1", "fp", 9,
    )  # fmt: skip
    assert found.said[0] == SaidToken(b"He", ((b"He", -0.25), (b"She", -1.5)))
    assert [one.raw for one in found.said] == [b"He", " 你".encode(), b"<end>"]
    assert said("He", None).said is None


def test_tokens_without_bytes_are_read_by_their_text_and_halves_of_letters_by_bytes() -> None:
    letter = list("你".encode())
    halves = [entry("?", raw=letter[:2]), entry("?", raw=letter[2:])]
    assert [one.raw for one in said("你", halves).said] == [bytes(letter[:2]), bytes(letter[2:])]
    assert said("He", [{"token": "He", "logprob": -0.5, "bytes": None}]).said[0].raw == b"He"


@pytest.mark.parametrize(
    ("text", "content", "why"),
    [
        ("He", [entry("She")], "another text than its reply"),
        ("He is", [entry("He")], "another text than its reply"),
        ("He", [entry("He"), entry(" is"), entry(" here")], "another text than its reply"),
        ("He", [entry("He", top_logprobs=[entry("He", 0.5)])], "above 0"),
        ("He", [entry("He", top_logprobs=[entry("He", float("nan"))])], "no number"),
    ],
)
def test_of_a_reply_whose_tokens_cannot_be_text_and_cost_are_told(
    text: str, content: list[dict[str, Any]], why: str
) -> None:
    found = said(text, content)
    assert (found.text, found.spent, found.said) == (text, 9, None)
    assert why in found.wrong
    assert said("He", [entry("He")]).wrong == ""


def test_log_probabilities_are_asked_for_where_they_are_wanted() -> None:
    plain, full = told_chat("m", [], 8).body, told_chat("m", [], 8, 5).body
    assert plain is not None
    assert full is not None
    assert "logprobs" not in plain
    assert (full["logprobs"], full["top_logprobs"], full["temperature"]) == (True, 5, 0)


def test_the_ids_of_a_text_are_its_own_alone() -> None:
    rows = [None, {"7": {"logprob": -1.0}}, {"9": {"logprob": -2.0}}]
    own = json.dumps({"choices": [{"prompt_logprobs": rows}]})
    assert (text_tokens("m", "a b", 0).read(own).ids, text_tokens("m", "a b", 0).read(own).spent) == ((7, 9), 4)
    assert text_tokens("m", "a b", 1).read(own).ids == ()
    with pytest.raises(ValueError, match="fewer than 5"):
        text_tokens("m", "a b", 5).read(own)
