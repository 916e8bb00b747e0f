"""An engine of somebody else that a worker asks: what copies cost is counted, and nothing is asked beyond the cap."""

from __future__ import annotations

import asyncio
from typing import Any

from feedback.shadow.asking import BACKGROUND_PRIORITY, Engine, Reply
from feedback.store.spending import Spending, TokenPurpose, answer_tokens
from understudy.errors import BadRequest, Unavailable


class OverBudget(BadRequest):
    """The day's tokens are spent; no retry helps before midnight UTC."""

    status, kind, code = 429, "rate_limit_error", "daily_tokens"


class MeteredEngine:
    """`Engine` before another one."""

    def __init__(self, engine: Engine, spending: Spending, purpose: TokenPurpose = "shadow") -> None:
        self._engine, self._spending, self._purpose = engine, spending, purpose

    async def chat(
        self, messages: list[dict[str, Any]], *, version: str, max_tokens: int, priority: int = BACKGROUND_PRIORITY,
        deadline: float = 30.0, **sampling: Any,
    ) -> Reply:  # fmt: skip
        """See `Engine.chat`.

        Raises:
            OverBudget: the cap of the day is reached.
        """
        if await asyncio.to_thread(self._spending.over):
            raise OverBudget(f"{self._spending.cap} tokens of today (UTC) are spent: `daily_tokens` of the engine")
        reply = await self._engine.chat(
            messages, version=version, max_tokens=max_tokens, priority=priority, deadline=deadline, **sampling
        )
        cost = answer_tokens(reply.prompt_tokens + reply.completion_tokens, messages, reply.text)
        try:
            await asyncio.to_thread(self._spending.add, self._purpose, cost)
        except Unavailable:  # what it cost is asked of Redis again before the next copy
            return reply
        return reply

    async def running(self) -> int:
        """See `Engine.running`."""
        return await self._engine.running()
