"""Shadow copies are treated as what clients send: an engine's control tokens are neutralised in their messages."""

from __future__ import annotations

from typing import Any

import msgspec

from feedback.shadow.asking import BACKGROUND_PRIORITY, Engine, Reply
from serving.gateway.body.tokens import ControlTokens
from understudy.errors import BadRequest, TooLarge


class SplitEngine:
    """`Engine` before another one, whose control tokens are `tokens`."""

    def __init__(self, engine: Engine, tokens: ControlTokens) -> None:
        self._engine, self._tokens = engine, tokens

    async def chat(
        self, messages: list[dict[str, Any]], *, version: str, max_tokens: int, priority: int = BACKGROUND_PRIORITY,
        deadline: float = 30.0, **sampling: Any,
    ) -> Reply:  # fmt: skip
        """See `Engine.chat`."""
        return await self._engine.chat(
            self._split(messages), version=version, max_tokens=max_tokens, priority=priority, deadline=deadline,
            **sampling,
        )  # fmt: skip

    async def running(self) -> int:
        """See `Engine.running`."""
        return await self._engine.running()

    def _split(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self._tokens.check_roles(message.get("role") for message in messages)
        raw = msgspec.json.encode({"messages": messages})
        try:
            split = self._tokens.neutralised(raw)
        except TooLarge as error:
            raise BadRequest(error.message) from None
        if split is raw:
            return messages
        changed: list[dict[str, Any]] = msgspec.json.decode(split)["messages"]
        return changed
