"""The copy of a request and its reply as the request path has it: bytes as they were, nothing parsed."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from deploy.routing.document import SlotView
from serving.gateway.routing import Ask, Decision, GuardNote

NOTHING_JUDGED = GuardNote()


class RawExchange(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    """What the event loop hands over: bytes as they were, nothing parsed.

    What an event has under the same name is taken over by name, from here, the request, the decision and the reply:
    `feedback.events.Exchange` is the one list of an exchange's fields.
    """

    request_id: str
    chat: bool
    request: bytes
    ask: Ask
    decision: Decision
    epoch: int
    status: int
    outcome: str
    """complete, error (the engine broke off or refused) or cancelled (the client went away)."""
    chunks: tuple[bytes, ...]
    """Body of the reply without chunk framing; incomplete when `overflow`."""
    overflow: bool
    streamed: bool
    at: float
    ttft: float | None
    seconds: float
    flagged: bool = False
    judged: GuardNote = NOTHING_JUDGED


class RawDegraded(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    """The same of a request that got the degraded reply."""

    request_id: str
    chat: bool
    request: bytes
    ask: Ask
    at: float
    degraded: Literal["guard", "breaker", "deadline"]
    judged: GuardNote | None
    """Why it is kept for whoever hears an appeal; None: it is not, and nothing of its text is."""
    counted: Decision | None = None
    """With experiments that count it nevertheless."""
    seconds: float = 0.0


NO_SLOT = SlotView()
"""Stands for the engine of a copy that was sent: nothing that is kept tells of it, and its key goes nowhere."""


def pack(raw: RawExchange | RawDegraded) -> bytes:
    """A copy as bytes, for the process that makes an event of it; without the client's headers, which may hold keys."""
    if raw.ask.headers is not None:
        raw = replace(raw, ask=replace(raw.ask, headers=None))
    return _encoder.encode(raw)


def unpack(body: bytes) -> RawExchange | RawDegraded:
    """The copy of `pack`."""
    return _decoder.decode(body)


def _packed(value: Any) -> Any:
    if isinstance(value, SlotView):
        return None
    raise TypeError(f"no part of a copy: {type(value)}")


def _unpacked(kind: type, value: Any) -> Any:
    return NO_SLOT


_encoder = msgspec.msgpack.Encoder(enc_hook=_packed)
_decoder: msgspec.msgpack.Decoder[RawExchange | RawDegraded] = msgspec.msgpack.Decoder(
    RawExchange | RawDegraded, dec_hook=_unpacked
)
