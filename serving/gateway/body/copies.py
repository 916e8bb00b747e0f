"""Shadow copies are treated as what clients send: an engine's control tokens are neutralised in their messages."""

from __future__ import annotations

from typing import Any

from deploy.engines.splitting.chats import split_chat
from deploy.engines.splitting.tokens import ControlTokens
from feedback.shadow.asking import BACKGROUND_PRIORITY, Engine, Reply


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
            split_chat(self._tokens, messages), version=version, max_tokens=max_tokens, priority=priority,
            deadline=deadline, **sampling,
        )  # fmt: skip

    async def running(self) -> int:
        """See `Engine.running`."""
        return await self._engine.running()
