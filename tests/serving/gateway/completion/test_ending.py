"""What is counted when a request is over."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deploy.engines.external import ExternalEngine, static_document
from deploy.routing.document import RouterConfig
from serving.gateway.completion.ending import TAIL, count, tells_error
from serving.gateway.metrics import VersionFigures
from serving.gateway.tenants.cost import estimated
from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.upstream import Engine, response, says
from tests.waiting import eventually

Serve = Callable[..., Running]
Make = Callable[..., Engine]
USAGE = b'"usage": {"prompt_tokens": 2, "completion_tokens": 3}}'


def test_a_complete_reply_is_counted_with_its_time_and_tokens() -> None:
    figures = VersionFigures()
    assert count(figures, "complete", 200, 0.3, b"x" * TAIL + USAGE) == (2, 3)
    assert figures.requests == {200: 1}
    assert (figures.seconds.count, figures.seconds.total) == (1, 0.3)


@pytest.mark.parametrize(("outcome", "status"), [("error", 200), ("cancelled", 499), ("complete", 400)])
def test_what_is_no_whole_reply_has_no_tokens_and_lacks_none(outcome: str, status: int) -> None:
    figures = VersionFigures()
    assert count(figures, outcome, status, 0.3, USAGE) is None
    assert figures.tokens == {"prompt": 0, "completion": 0}
    assert figures.untold == 0
    assert figures.requests == {status: 1}


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (b'{"error": {"message": "overloaded"}}', True),
        (b'data: {"error":"overloaded"}\n\ndata: [DONE]\n\n', True),
        (b'{"error":{}}' + b"x" * TAIL, False),
        (b'{"choices":[{"message":{"content":"{\\"error\\": {}}"}}],"error":null}', False),
        (b'{"logprobs":{"content":[{"token":"error","logprob":-0.1}]}}', False),
    ],
)
def test_an_error_is_seen_at_the_end_of_a_reply_and_in_no_text_of_it(tail: bytes, expected: bool) -> None:
    assert tells_error(tail) is expected


@pytest.fixture
def others(serve: Serve, engine: Make) -> tuple[Running, Engine]:
    """A gateway before a teacher that somebody else runs."""
    teacher = engine("teacher")
    external = ExternalEngine(url=f"{teacher.url}/v1", model="big")
    return serve(static_document({"teacher": external}, RouterConfig())), teacher


def costs(running: Running, n: int) -> list[float]:
    """What was said of `n` answers."""
    eventually(lambda: len(running.spool.spent) == n, what="what the answers cost")
    return [one.value for one in running.spool.spent]


def test_an_answer_of_somebody_elses_teacher_costs_what_it_says_and_else_what_is_guessed(
    others: tuple[Running, Engine],
) -> None:
    running, teacher = others
    running.client.chat("几点了？")
    running.client.chat("几点了？", stream=True)
    prompt = estimated(teacher.seen[1].body.replace(b'"big"', b'"auto"'), None)
    assert costs(running, 2) == [7, prompt + len(teacher.words) + 2]  # an event a word, the end and `[DONE]`
    assert {(one.arm, one.version, one.target) for one in running.spool.spent} == {("teacher", "external", "")}


def test_what_nobody_may_record_costs_all_the_same_and_nothing_tells_whose_it_was(
    others: tuple[Running, Engine],
) -> None:
    running, _ = others
    headers = {"x-understudy-no-capture": "1", "x-understudy-user": "ada", "x-understudy-session": "s-1"}
    running.client.chat("几点了？", headers=headers)
    assert costs(running, 1) == [7]
    assert not running.spool.raw
    told = running.spool.spent[0].model_dump_json()
    assert not any(word in told for word in ("ada", "s-1", "几点了"))
    running.snapshot.offer(running.snapshot.document.model_copy(update={"epoch": 1, "capture_rate": 0.0}))
    running.client.chat("x" * (2 << 20))
    assert costs(running, 2)[1] == 7
    assert not running.spool.raw


def test_what_there_is_no_room_for_is_counted_now_or_when_it_turns_out(others: tuple[Running, Engine]) -> None:
    running, _ = others
    for number, lacks in enumerate(("full", "full_later"), start=1):
        setattr(running.spool, lacks, True)
        assert running.client.chat()[0] == 200
        eventually(lambda: running.gateway.metrics.events["spending_dropped"] == number)  # noqa: B023
        setattr(running.spool, lacks, False)


def test_more_tokens_than_there_are_cost_the_most_that_is_counted_and_end_the_request(
    others: tuple[Running, Engine],
) -> None:
    running, teacher = others
    body = b'{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": {"total_tokens": %d}}'
    teacher.script = says(response(body % (5 * 10**12)))
    assert running.client.chat()[0] == 200
    assert running.client.chat()[0] == 200  # on the same connection
    assert costs(running, 2) == [10**12] * 2


def test_a_refusal_and_a_teacher_of_ours_cost_nothing(
    others: tuple[Running, Engine], serve: Serve, engine: Make
) -> None:
    running, teacher = others
    teacher.script = says(response(b"{}", "429 Too Many Requests"))
    assert running.client.chat()[0] == 429
    teacher.script = None
    running.client.chat()
    assert costs(running, 1) == [7]
    ours = serve(document({"teacher": engine("ours")}))
    ours.client.chat()
    eventually(lambda: len(ours.spool.raw) == 1)
    assert not ours.spool.spent
