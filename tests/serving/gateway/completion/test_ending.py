"""What is counted when a request is over."""

from __future__ import annotations

import pytest

from serving.gateway.completion.ending import TAIL, count
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
