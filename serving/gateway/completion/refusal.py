"""An engine's refusal of a prompt that does not fit, said in the words that clients look for."""

from __future__ import annotations

import re

import msgspec

from serving.gateway.http.reply import ClientReply
from serving.gateway.http.wire import Headers

_TOO_LONG = re.compile(rb"maximum (context|model) length")
"""In vLLM's refusals of a prompt that does not fit."""
_SHORT = 16 << 10


class EngineRefusal(ClientReply):
    """A short 400, kept back until it is whole: a prompt that is too long gets the code that clients look for."""

    @staticmethod
    def fits(status: int, headers: Headers) -> bool:
        """Whether a reply is one."""
        return status == 400 and any(
            name == b"content-length" and value.isdigit() and int(value) <= _SHORT for name, value in headers
        )

    def _begin(self, ours: list[bytes], headers: Headers, length: bytes | None) -> None:
        self._kept: list[bytes] = []
        self._head = ours, headers

    def _write(self, data: bytes) -> None:
        self._kept.append(data)

    def end(self) -> None:
        """The engine's reply is complete."""
        body = coded(b"".join(self._kept))
        super()._begin(*self._head, b"%d" % len(body))
        self._send(body)


def coded(body: bytes) -> bytes:
    """An error object with the code `context_length_exceeded` where that is what it says; any other as it is."""
    if _TOO_LONG.search(body) is None:
        return body
    try:
        given = msgspec.json.decode(body, type=dict[str, dict[str, msgspec.Raw]])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body
    if "error" not in given:
        return body
    given["error"]["code"] = msgspec.Raw(b'"context_length_exceeded"')
    return msgspec.json.encode(given)
