"""Requests made up from an OpenAPI document, such as it allows and such as it does not, and what their answers hold."""

from __future__ import annotations

import os
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.core.transport import Response
from schemathesis.schemas import BaseSchema

FULL = os.environ.get("UNDERSTUDY_FULL") == "1"
OF_DATA_PLANE, OF_CONTROL_PLANE = (14_000, 6_000) if FULL else (350, 150)
"""Cases of each plane, over all its operations."""
PARTS = 10 if FULL else 1
"""Tests over which these are spread, so that none takes long; each makes up others."""
SECONDS = 60.0
"""For one answer: a hang fails, a busy machine does not."""


def answers_all(schema: BaseSchema, key: str, cases: int, part: int) -> None:
    """Send about `cases / PARTS` requests with `key`: none fails, each refusal says why, none repeats the key."""
    cases //= PARTS
    operations = [found.ok() for found in schema.get_all_operations()]
    varied = [one for one in operations if one.body or list(one.iter_parameters())]
    each = -(-cases // len(varied))
    answered = 0

    def judge(case: Any) -> None:
        nonlocal answered
        answer: Response = case.call(headers={"authorization": f"Bearer {key}"}, timeout=SECONDS)
        answered += 1
        assert answer.status_code < 500, (case.as_curl_command(), answer.text)
        if answer.status_code >= 400 and case.method != "HEAD":
            assert answer.json()["error"]["message"], (case.as_curl_command(), answer.text)
        assert key not in answer.text + str(answer.headers), case.as_curl_command()

    for operation in operations:
        strategy = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        if operation in varied:
            strategy |= operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        chosen = settings(
            max_examples=each, deadline=None, database=None, suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        )  # fmt: skip
        seed(part)(chosen(given(case=strategy)(lambda case: judge(case))))()
    assert answered >= cases * 0.9


def read(url: str) -> BaseSchema:
    """The document at `url`."""
    return schemathesis.openapi.from_url(url)
