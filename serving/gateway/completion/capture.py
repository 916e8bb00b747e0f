"""The copy of a request and its reply: raw on the request path, assembled in the outbox's thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from ab.experiment import Arm
from feedback.events import Exchange, exchange_id

TEXT_PARAMS = frozenset({"messages", "prompt", "model", "user", "tools", "functions", "suffix", "documents"})
"""Fields of the body that are text or named elsewhere; the others are kept as parameters."""


@dataclass(frozen=True, slots=True)
class RawExchange:
    """What the event loop hands over: bytes as they were, nothing parsed."""

    request_id: str
    chat: bool
    request: bytes
    chunks: tuple[bytes, ...]
    """Body of the reply without chunk framing; incomplete when `overflow`."""
    overflow: bool
    status: int
    outcome: str
    """complete, error (the engine broke off or refused) or cancelled (the client went away)."""
    streamed: bool
    arm: Arm
    assigned: Arm
    version: str
    epoch: int
    experiment: str | None
    model: str
    tenant: str
    session: str
    unit: str
    unit_derived: bool
    user: str | None
    at: float
    ttft: float | None
    seconds: float


def assemble(raw: RawExchange) -> Exchange:
    """The event of a raw exchange, not yet redacted. Pure; never raises for what an engine may send."""
    body = _object(raw.request)
    reply = parse_reply(b"".join(raw.chunks), raw.streamed)
    messages = body.get("messages") if raw.chat else [_as_message(body.get("prompt"))]
    plain = not raw.overflow and raw.status == 200 and body.get("n") in (None, 1) and bool(reply.text)
    return Exchange(
        id=exchange_id(raw.request_id),
        session=raw.session,
        tenant=raw.tenant,
        at=raw.at,
        unit=raw.unit,
        unit_derived=raw.unit_derived,
        user=raw.user,
        api="chat" if raw.chat else "completions",
        messages=messages if isinstance(messages, list) else [],
        params={key: value for key, value in body.items() if key not in TEXT_PARAMS},
        reply=reply.text,
        finish_reason=finish_reason(raw, reply),
        status=raw.status,
        arm=raw.arm,
        assigned=raw.assigned,
        version=raw.version,
        epoch=raw.epoch,
        experiment=raw.experiment,
        response_id=reply.id,
        model=raw.model,
        streamed=raw.streamed,
        ttft=raw.ttft,
        seconds=raw.seconds,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        shadow=plain and raw.outcome == "complete",
        tools=bool(body.get("tools") or body.get("functions") or reply.tools),
    )


def finish_reason(raw: RawExchange, reply: ParsedReply) -> str:
    """How it ended: the engine's word for it, else `error`, `cancelled`, or `refused` for a 4xx."""
    if raw.outcome != "complete":
        return "refused" if 400 <= raw.status < 499 else raw.outcome
    if raw.status == 200:
        return reply.finish_reason or "stop"
    return "refused" if raw.status < 500 else "error"


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """What capture keeps of a reply."""

    id: str = ""
    text: str = ""
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    tools: bool = False


def parse_reply(raw: bytes, streamed: bool) -> ParsedReply:
    """Text, end and usage of a reply of either API; of the first choice alone."""
    documents = [_object(event) for event in _events(raw)] if streamed else [_object(raw)]
    text: list[str] = []
    identity, finish, tools = "", "", False
    usage: dict[str, Any] = {}
    for document in documents:
        identity = identity or _text(document.get("id"))
        if isinstance(document.get("usage"), dict):
            usage = document["usage"]
        choice = _first(document.get("choices"))
        part = choice.get("delta") or choice.get("message") or choice
        if isinstance(part, dict):
            text.append(_text(part.get("content") or part.get("text")))
            tools = tools or bool(part.get("tool_calls"))
        finish = _text(choice.get("finish_reason")) or finish
    return ParsedReply(
        identity, "".join(text), finish, _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")), tools,
    )  # fmt: skip


def _events(raw: bytes) -> list[bytes]:
    lines = raw.replace(b"\r\n", b"\n").split(b"\n")
    return [line[5:].strip() for line in lines if line.startswith(b"data:") and line[5:].strip() != b"[DONE]"]


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}
    return value if isinstance(value, dict) else {}


def _first(choices: Any) -> dict[str, Any]:
    if not isinstance(choices, list):
        return {}
    of_zero = [c for c in choices if isinstance(c, dict) and c.get("index", 0) == 0]
    return of_zero[0] if of_zero else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    """A number of tokens; None for anything that cannot be one."""
    return value if type(value) is int and 0 <= value < 2**31 else None


def _as_message(prompt: Any) -> dict[str, Any]:
    if isinstance(prompt, list) and prompt and all(isinstance(item, str) for item in prompt):
        prompt = "\n".join(prompt)
    return {"role": "user", "content": _text(prompt)}
