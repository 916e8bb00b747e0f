"""Whether a degraded reply is one that openai-python takes for what it is. Knows nothing of who wrote it."""

from __future__ import annotations

import json

from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import ValidationError

CAUSES = frozenset({"guard", "breaker", "deadline"})
FOREIGN = frozenset({"x-understudy-arm", "x-understudy-version", "x-understudy-experiment"})


def compliant(status: int, headers: dict[str, str], body: bytes, stream: bool) -> bool:
    """Whether a degraded reply to a chat of one choice keeps what the interface promises."""
    if status != 200 or headers.get("x-understudy-degraded") not in CAUSES or FOREIGN & set(headers):
        return False
    try:
        return _stream(body) if stream else _whole(body)
    except (ValidationError, ValueError):
        return False


def _whole(body: bytes) -> bool:
    reply = ChatCompletion.model_validate(json.loads(body), strict=True)
    choices, usage = reply.choices, reply.usage
    return (
        len(choices) == 1
        and choices[0].finish_reason == "content_filter"
        and bool(choices[0].message.content)
        and not choices[0].message.tool_calls
        and usage is not None
        and usage.total_tokens == 0
    )


def _stream(body: bytes) -> bool:
    events = [event.removeprefix(b"data: ") for event in body.split(b"\n\n") if event]
    if not events or events[-1] != b"[DONE]":
        return False
    chunks = [ChatCompletionChunk.model_validate(json.loads(event), strict=True) for event in events[:-1]]
    ends = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    said = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    return ends == ["content_filter"] and bool(said)
