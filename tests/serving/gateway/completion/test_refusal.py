"""A prompt that does not fit, as clients look for it."""

from __future__ import annotations

import json
from collections.abc import Callable

import openai
import pytest

from tests.serving.gateway.conftest import Running, both, document
from tests.serving.gateway.upstream import Engine, response, says
from tests.waiting import eventually

Serve = Callable[..., Running]
Make = Callable[..., Engine]


@pytest.mark.parametrize(
    "said",
    ["This model's maximum context length is 2048 tokens. However, you requested 1 output tokens",
     "The decoder prompt (length 9) is longer than the maximum model length of 8."],
)  # fmt: skip
def test_a_prompt_that_is_too_long_gets_the_code_that_clients_look_for(serve: Serve, engine: Make, said: str) -> None:
    engines = both(engine)
    error = {"message": said, "type": "BadRequestError", "param": "input_text", "code": 400}
    engines["teacher"].script = says(response(json.dumps({"error": error}).encode(), "400 Bad Request"))
    running = serve(document(engines))
    with (
        openai.OpenAI(base_url=f"http://127.0.0.1:{running.port}/v1", api_key="any", max_retries=0) as client,
        pytest.raises(openai.BadRequestError) as refused,
    ):
        client.chat.completions.create(model="teacher", messages=[{"role": "user", "content": "x"}])
    assert refused.value.code == "context_length_exceeded"
    assert refused.value.body == {**error, "code": "context_length_exceeded"}
    eventually(lambda: running.spool.raw)
    assert running.spool.exchanges[0].finish_reason == "refused"
