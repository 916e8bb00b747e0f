"""What is counted when a request is over."""

from __future__ import annotations

import pytest

from serving.gateway.completion.ending import TAIL, count, tells_error
from serving.gateway.metrics import VersionFigures

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
