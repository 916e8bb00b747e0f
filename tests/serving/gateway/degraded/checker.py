"""Judges degraded replies from outside: OpenAI's published schema, and openai-python as the client that reads them.

Nothing of the product is imported here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import openai
from openai.lib._parsing import parse_chat_completion
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk

CAUSES = {"guard", "breaker", "deadline"}
FOREIGN = {"x-understudy-arm", "x-understudy-version", "x-understudy-experiment"}
"""Headers of a reply that an arm gave."""
ZERO = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def modern(node: Any) -> Any:
    """The schema with OpenAPI 3.0's `nullable`, which JSON schema does not know, said in its own words."""
    if isinstance(node, list):
        return [modern(one) for one in node]
    if not isinstance(node, dict):
        return node
    plain = {key: modern(value) for key, value in node.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") is True else plain


@cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    """Validates by one of OpenAI's component schemas."""
    document = modern(json.loads((Path(__file__).parent / "openai_schema.json").read_text("utf-8")))
    return jsonschema.Draft202012Validator({**document, "$ref": f"#/components/schemas/{name}"})


def wanted_choices(asked: dict[str, Any], chat: bool) -> int:
    """How many choices OpenAI's reference promises for a request."""
    each = asked.get("n") or 1
    prompt = None if chat else asked.get("prompt")
    several = isinstance(prompt, list) and bool(prompt) and isinstance(prompt[0], str | list)
    return each * (len(prompt) if several and prompt is not None else 1)


def split_events(body: bytes) -> list[str]:
    """The data of each server-sent event, read by openai-python's own decoder."""
    from openai._streaming import SSEDecoder

    return [event.data for event in SSEDecoder().iter_bytes(iter([body]))]


def violations(
    asked: dict[str, Any], chat: bool, status: int, headers: dict[str, str], body: bytes, model: str, secret: str = ""
) -> list[str]:
    """What is wrong with a degraded reply to the body `asked`; `secret` is a text of the user."""
    found: list[str] = []
    try:
        found.extend(_violations(asked, chat, status, headers, body, model, secret))
    except (ValueError, LookupError, TypeError) as error:  # openai-python, or this reader, cannot make sense of it
        found.append(repr(error))
    return found


def _violations(
    asked: dict[str, Any], chat: bool, status: int, headers: dict[str, str], body: bytes, model: str, secret: str
) -> Iterator[str]:
    if status != 200:
        yield f"status {status}"
    if headers.get("x-understudy-degraded") not in CAUSES:
        yield f"cause {headers.get('x-understudy-degraded')!r}"
    if found := FOREIGN & set(headers):
        yield f"headers of an arm: {found}"
    if headers.get("content-length") != str(len(body)):
        yield "length"
    if secret and (secret.encode() in body or json.dumps(secret)[1:-1].encode() in body):
        yield "a text of the user came back"
    streamed = asked.get("stream") is True
    kind = "text/event-stream" if streamed else "application/json"
    if not headers.get("content-type", "").startswith(kind):
        yield f"content type {headers.get('content-type')}"
        return
    yield from (_stream if streamed else _whole)(asked, chat, body, model)


def _schema(name: str, given: Any) -> Iterator[str]:
    for error in validator(name).iter_errors(given):
        yield f"{name}: {error.json_path}: {error.message[:200]}"


def _head(given: dict[str, Any], chat: bool, chunk: bool, model: str) -> Iterator[str]:
    kind = ("chat.completion.chunk" if chunk else "chat.completion") if chat else "text_completion"
    if given.get("object") != kind or given.get("model") != model:
        yield f"object {given.get('object')}, model {given.get('model')}"
    if not str(given.get("id", "")).startswith("chatcmpl-" if chat else "cmpl-"):
        yield f"id {given.get('id')}"


def _whole(asked: dict[str, Any], chat: bool, body: bytes, model: str) -> Iterator[str]:
    given = json.loads(body)
    yield from _schema("CreateChatCompletionResponse" if chat else "CreateCompletionResponse", given)
    yield from _head(given, chat, False, model)
    if given["usage"] != ZERO:
        yield f"usage {given['usage']}"
    choices = given["choices"]
    if [one["index"] for one in choices] != list(range(wanted_choices(asked, chat))):
        yield f"choices {[one['index'] for one in choices]}"
    for one in choices:
        if one["finish_reason"] != "content_filter" or one["logprobs"] is not None:
            yield f"choice {one}"
        yield from _said(asked, one["message"]) if chat else _text(one)
    if chat:
        yield from _parsed(asked, ChatCompletion.model_validate(given, strict=True))
    else:
        Completion.model_validate(given, strict=True)


def _text(choice: dict[str, Any]) -> Iterator[str]:
    if not choice["text"]:
        yield "an empty text"


def wants_json(asked: dict[str, Any]) -> bool:
    """Whether the client asked for JSON."""
    return (asked.get("response_format") or {"type": "text"})["type"] != "text"


def _said(asked: dict[str, Any], message: dict[str, Any]) -> Iterator[str]:
    says, silent = ("refusal", "content") if wants_json(asked) else ("content", "refusal")
    if not message.get(says) or message.get(silent) is not None or message.get("role") != "assistant":
        yield f"message {message}"
    if message.get("tool_calls") or message.get("function_call"):
        yield "a tool is called"


def _parsed(asked: dict[str, Any], reply: ChatCompletion) -> Iterator[str]:
    """What openai-python's `parse` makes of it: the error by which an application knows."""
    try:
        parse_chat_completion(
            response_format=asked.get("response_format") or openai.omit,
            input_tools=asked.get("tools") or openai.omit,
            chat_completion=reply,
        )
    except openai.ContentFilterFinishReasonError:
        return
    yield "parse raised no ContentFilterFinishReasonError"


def _stream(asked: dict[str, Any], chat: bool, body: bytes, model: str) -> Iterator[str]:
    events = split_events(body)
    if not events or events[-1] != "[DONE]":
        yield "no [DONE] at the end"
        return
    chunks = [json.loads(event) for event in events[:-1]]
    wants_usage = (asked.get("stream_options") or {}).get("include_usage") is True
    if wants_usage and (chunks[-1].get("choices") != [] or chunks[-1].get("usage") != ZERO):
        yield f"last chunk {chunks[-1]}"
    for chunk in chunks:
        yield from _schema("CreateChatCompletionStreamResponse" if chat else "CreateCompletionResponse", chunk)
        yield from _head(chunk, chat, True, model)
    for chunk in chunks[:-1] if wants_usage else chunks:
        if len(chunk["choices"]) != 1 or chunk.get("usage") is not None:
            yield f"chunk {chunk}"
    if len({(chunk["id"], chunk["created"]) for chunk in chunks}) != 1:
        yield "the chunks differ in id or time"
    yield from (_chat_stream if chat else _text_stream)(asked, chunks)


def _text_stream(asked: dict[str, Any], chunks: list[dict[str, Any]]) -> Iterator[str]:
    choices = [one for chunk in chunks for one in chunk["choices"]]
    for chunk in chunks:
        Completion.model_validate(chunk, strict=True)
    if sorted(one["index"] for one in choices) != list(range(wanted_choices(asked, False))):
        yield f"choices {[one['index'] for one in choices]}"
    for one in choices:
        if one["finish_reason"] != "content_filter" or one["logprobs"] is not None:
            yield f"choice {one}"
        yield from _text(one)


def _chat_stream(asked: dict[str, Any], chunks: list[dict[str, Any]]) -> Iterator[str]:
    """What the chunks add up to, as any client adds them up, and as openai-python's own state does."""
    messages: dict[int, dict[str, Any]] = {}
    ended: set[int] = set()
    for chunk in chunks:
        for one in chunk["choices"]:
            index, message = one["index"], messages.setdefault(one["index"], {})
            if index in ended:
                yield f"choice {index} goes on after its end"
            for key, value in one["delta"].items():
                if value is not None:
                    message[key] = message[key] + value if key in message else value
            if one["finish_reason"] is not None:
                ended.add(index)
                if one["finish_reason"] != "content_filter":
                    yield f"finish reason {one['finish_reason']}"
            if one.get("logprobs") is not None:
                yield "logprobs"
    if set(messages) != set(range(wanted_choices(asked, True))) or ended != set(messages):
        yield f"choices {sorted(messages)}, ended {sorted(ended)}"
    for message in messages.values():
        yield from _said(asked, message)
    yield from _accumulated(asked, chunks)


def _accumulated(asked: dict[str, Any], chunks: list[dict[str, Any]]) -> Iterator[str]:
    state: Any = ChatCompletionStreamState(
        input_tools=asked.get("tools") or openai.omit, response_format=asked.get("response_format") or openai.omit
    )
    try:
        for chunk in chunks:
            state.handle_chunk(ChatCompletionChunk.model_validate(chunk, strict=True))
        state.get_final_completion()
    except openai.ContentFilterFinishReasonError:
        return
    yield "openai-python's stream raised no ContentFilterFinishReasonError"


def client_for(raw: bytes) -> openai.OpenAI:
    """openai-python, to which a server answers `raw`, a whole HTTP response."""
    head, _, body = raw.partition(b"\r\n\r\n")
    status, headers = read_head(head)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers=headers, content=body)

    transport = httpx.Client(transport=httpx.MockTransport(answer))
    return openai.OpenAI(api_key="k", base_url="http://gateway/v1", http_client=transport)


def read_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers of a response's head."""
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    return int(first.split(" ")[1]), {name.lower(): value for name, value in pairs}
