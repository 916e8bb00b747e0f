"""The plainest proxy in Python that people write: an ASGI application on uvicorn with aiohttp's client."""

from __future__ import annotations

from typing import Any


def serve(port: int, upstream: int) -> None:
    """Pass every request on to `upstream` until killed; needs aiohttp."""
    import aiohttp
    import uvicorn

    base = f"http://127.0.0.1:{upstream}"
    held: dict[str, aiohttp.ClientSession] = {}

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if "client" not in held:
            held["client"] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {"content-type": "application/json"}
        async with held["client"].request(scope["method"], base + scope["path"], data=body, headers=headers) as reply:
            kind = reply.headers.get("content-type", "").encode()
            head = [(b"content-type", kind)]
            await send({"type": "http.response.start", "status": reply.status, "headers": head})
            async for chunk in reply.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    uvicorn.run(application, host="127.0.0.1", port=port, http="httptools", loop="uvloop", lifespan="off",
                access_log=False, log_level="error")  # fmt: skip
