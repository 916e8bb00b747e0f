"""The event of a copy: what a request and its reply say, parsed once nobody waits for either."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from feedback.events import Exchange, PhaseArm, exchange_id
from serving.gateway.degraded.reply import reply_id
from serving.gateway.record.raw import NOTHING_JUDGED, RawDegraded, RawExchange
from serving.gateway.routing import Ask, Decision, GuardNote

TEXT_PARAMS = frozenset({"messages", "prompt", "model", "user", "tools", "functions", "suffix", "documents"})
"""Fields of the body that are text or named elsewhere; the others are kept as parameters."""


class ParsedReply(msgspec.Struct, frozen=True, gc=False):
    """What capture keeps of a reply."""

    response_id: str = ""
    reply: str = ""
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    tools: bool = False
    reply_tokens: tuple[int, ...] | None = None
    """Where the client asked for them (`return_token_ids`)."""
    failed: bool = False
    """Whether an error stands in it, or it is a plain one without a choice: half a JSON, or none."""


TAKEN = {owner: Exchange.model_fields.keys() & set(owner.__struct_fields__) for owner in (
    RawExchange, Ask, Decision, GuardNote, ParsedReply,
)}  # fmt: skip
"""The fields of an event that each part of an exchange has under the same name."""


def assemble(raw: RawExchange | RawDegraded) -> Exchange:
    """The event of a raw exchange, not yet redacted. Pure; never raises for what an engine may send."""
    if isinstance(raw, RawDegraded):
        return _degraded(raw)
    body = _object(raw.request)
    reply = parse_reply(b"".join(raw.chunks), raw.streamed)
    messages = body.get("messages") if raw.chat else [_as_message(body.get("prompt"))]
    ended = finish_reason(raw, reply)
    plain = not raw.overflow and raw.status == 200 and body.get("n") in (None, 1) and bool(reply.reply)
    given = {name: getattr(part, name) for part in (raw, raw.ask, raw.decision, raw.judged, reply)
             for name in TAKEN[type(part)]}  # fmt: skip
    return Exchange(**{
        **given,
        "id": exchange_id(raw.request_id),
        "experiments": _experiments(raw.decision),
        "api": "chat" if raw.chat else "completions",
        "messages": messages if isinstance(messages, list) else [],
        "params": {key: value for key, value in body.items() if key not in TEXT_PARAMS},
        "finish_reason": ended,
        "shadow": plain and raw.outcome == "complete" and ended != "error",
        "tools": bool(body.get("tools") or body.get("functions") or reply.tools),
    })  # fmt: skip


_phase_arm = lru_cache(maxsize=256)(PhaseArm)
"""The same one for all units of an arm."""


def _experiments(decision: Decision) -> tuple[PhaseArm, ...]:
    """The phases that a request counts for."""
    return tuple(
        _phase_arm(
            experiment=one.experiment, phase=one.phase, arm=one.arm, layer=one.layer, slow=tuple(one.slow.items()),
            covariates=one.covariates,
        )
        for one in decision.taken if one.counted
    )  # fmt: skip


def _degraded(raw: RawDegraded) -> Exchange:
    """The event of a request that no engine saw."""
    ask, counted, judged = raw.ask, raw.counted, raw.judged or NOTHING_JUDGED
    body = {} if raw.judged is None else _object(raw.request)
    messages = body.get("messages") if raw.chat or not body else [_as_message(body.get("prompt"))]
    unit, derived = ask.user or ask.session, ask.user is None
    if counted is not None:
        unit, derived = counted.unit, counted.unit_derived
    return Exchange(
        schema_version=2 if counted is None else 3, id=exchange_id(raw.request_id), session=ask.session,
        tenant=ask.tenant, at=raw.at, unit=unit, unit_derived=derived, user=ask.user,
        api="chat" if raw.chat else "completions", messages=messages if isinstance(messages, list) else [], reply="",
        finish_reason="content_filter", arm="teacher", version="", epoch=0, model=ask.model, flagged=True, shadow=False,
        response_id=reply_id(raw.chat, raw.request_id), degraded=raw.degraded, guard_stage=judged.guard_stage,
        guard_score=judged.guard_score, guard_user=judged.guard_user, seconds=raw.seconds,
        experiments=() if counted is None else _experiments(counted), line="" if counted is None else counted.line,
    )  # fmt: skip


def finish_reason(raw: RawExchange, reply: ParsedReply) -> str:
    """How it ended: the engine's word for it, else `error`, `cancelled`, or `refused` for a 4xx.

    `error`, too, where a reply with 200 failed, or a stream came to its end without a word for it: both may hold half a
    text. A plain reply may lack the word; of one that is not kept whole nobody knows.
    """
    if raw.outcome != "complete":
        return "refused" if 400 <= raw.status < 499 else raw.outcome
    if raw.status == 200:
        broken = not raw.overflow and (reply.failed or (raw.streamed and not reply.finish_reason))
        return "error" if broken else reply.finish_reason or "stop"
    return "refused" if raw.status < 500 else "error"


def parse_reply(raw: bytes, streamed: bool) -> ParsedReply:
    """Text, end and usage of a reply of either API; of the first choice alone."""
    documents = [_object(event) for event in _events(raw)] if streamed else [_object(raw)]
    text: list[str] = []
    ids: list[Any] = []
    identity, finish, tools = "", "", False
    failed = not streamed and not documents[0].get("choices")
    usage: dict[str, Any] = {}
    for document in documents:
        failed = failed or bool(document.get("error")) or document.get("object") == "error"
        identity = identity or _text(document.get("id"))
        if isinstance(document.get("usage"), dict):
            usage = document["usage"]
        choice = _first(document.get("choices"))
        part = choice.get("delta") or choice.get("message") or choice
        if isinstance(part, dict):
            text.append(_text(part.get("content") or part.get("text")))
            tools = tools or bool(part.get("tool_calls"))
        ids += found if isinstance(found := choice.get("token_ids"), list) else []
        finish = _text(choice.get("finish_reason")) or finish
    return ParsedReply(
        identity, "".join(text), finish, _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")), tools, tuple(ids) or None, failed,
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
