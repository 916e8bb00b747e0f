"""The body of a request to an ASGI route, bounded alone and together with all others."""

from __future__ import annotations

from fastapi import Request

from serving.gateway.body.joining import joined
from serving.gateway.errors import check_encoding
from serving.gateway.service import Gateway
from understudy.errors import TooLarge


async def read_body(request: Request, gateway: Gateway, most: int, what: str) -> bytes:
    """The body of a request; while it is on its way it counts among the bodies that the gateway holds.

    Raises:
        TooLarge: it is above `most` bytes.
        TooBusy: it is long, and the gateway holds too many bytes.
        UnknownEncoding: it is encoded.
    """
    check_encoding(request.headers.get("content-encoding", ""))
    body: bytes | bytearray = b""
    size = 0
    try:
        async for part in request.stream():
            body = joined(body, part)
            size += len(part)
            gateway.buffered += len(part)
            if size > most:
                raise TooLarge(f"{what} is above {most} bytes")
            gateway.check_room(size)
    finally:
        gateway.buffered -= size
    return bytes(body)
