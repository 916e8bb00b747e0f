"""Answers of engines, read without one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.engines.queries import (
    Answer,
    Meant,
    chat,
    models,
    own_logprobs,
    prompt_logprobs,
    read_busy,
    understood,
)
from understudy.errors import BadRequest, Conflict, Unavailable, UnderstudyError

RUNNING, WAITING = 'vllm:num_requests_running{engine="0"}', 'vllm:num_requests_waiting{engine="0"}'


@pytest.mark.parametrize(
    ("metrics", "count"),
    [
        (f"# TYPE x gauge\n{RUNNING} 1.0\n{WAITING} 9.0\n", 10),
        ("vllm:num_requests_running 3\nvllm:num_requests_waiting 1e1\n", 13),
        ('vllm:num_requests_waiting_by_reason{reason="capacity"} 9.0\n', 0),
        ("", 0),
    ],
)
def test_what_runs_and_what_waits_make_an_engine_busy(metrics: str, count: int) -> None:
    assert read_busy(metrics) == count


def rows(*positions: dict[int, float] | None) -> list[Any]:
    return [p and {str(t): {"logprob": value, "rank": 1} for t, value in p.items()} for p in positions]


def test_choices_are_put_in_order_and_own_tokens_are_found() -> None:
    asked = prompt_logprobs("m", [[1, 2], [3, 4]], 1)
    choices = [
        {"index": 1, "prompt_logprobs": rows(None, {4: -0.5})},
        {"index": 0, "prompt_logprobs": rows(None, {2: -0.25, 9: -0.1})},
    ]
    said = Answer(200, json.dumps({"choices": choices}))
    assert understood(asked, said) == [[{}, {2: -0.25, 9: -0.1}], [{}, {4: -0.5}]]
    alone = Answer(200, json.dumps({"choices": choices[1:]}))
    assert understood(own_logprobs("m", [1, 2]), alone) == [-0.25]
    for wrong in (own_logprobs("m", [1, 7]), own_logprobs("m", [1, 2, 3]), asked):
        with pytest.raises(Unavailable, match="not that of an engine"):
            understood(wrong, alone)


@pytest.mark.parametrize(
    ("status", "error"), [(400, BadRequest), (404, BadRequest), (409, Conflict), (401, Unavailable), (503, Unavailable)]
)
def test_a_refusal_says_whose_fault_it_is(status: int, error: type[UnderstudyError]) -> None:
    with pytest.raises(error, match=f"/models with {status}: no"):
        understood(models(), Answer(status, '{"error": {"message": "no"}}'))
    with pytest.raises(error, match="<html>"):
        understood(models(), Answer(status, "<html>"))


@pytest.mark.parametrize("text", ["<html>", "[]", '{"choices": []}', '{"choices": [{"message": null}]}'])
def test_an_answer_that_is_no_engines_is_as_good_as_none(text: str) -> None:
    with pytest.raises(Unavailable, match="not that of an engine"):
        understood(chat("m", [], 1), Answer(200, text))


def test_a_reply_of_ours_comes_with_its_tokens_and_what_cannot_be_tokens_does_not() -> None:
    assert (chat("m", [], 1, Meant("v1", 10)).body or {})["return_token_ids"] is True
    assert "return_token_ids" not in (chat("m", [], 1).body or {})
    for given, tokens in (
        ("[5, 6]", (5, 6)),
        ("[]", None),
        ("null", None),
        ("[-1]", None),
        ('["5"]', None),
        ("3", None),
    ):
        text = f'{{"choices": [{{"message": {{"content": "x"}}, "token_ids": {given}}}]}}'
        assert understood(chat("m", [], 1), Answer(200, text)).tokens == tokens


def test_only_engines_of_ours_are_told_version_and_priority() -> None:
    ours, other = chat("m", [], 1, Meant("v1", 10), temperature=0.5), chat("m", [], 1)
    assert (dict(ours.headers), (ours.body or {})["priority"]) == ({"x-understudy-version": "v1"}, 10)
    assert (ours.body or {})["temperature"] == 0.5
    assert (other.headers, "priority" in (other.body or {})) == ({}, False)
