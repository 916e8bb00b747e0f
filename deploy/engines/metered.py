"""An engine of somebody else that a worker asks: what copies cost is counted, and nothing is asked beyond the cap."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from deploy.engines.queries import Unusable
from feedback.shadow.asking import BACKGROUND_PRIORITY, Engine, Reply
from feedback.store.spending import Spending, TokenPurpose, answer_tokens
from understudy.errors import BadRequest, Unavailable


class OverBudget(BadRequest):
    """The day's tokens are spent; no retry helps before midnight UTC."""

    status, kind, code = 429, "rate_limit_error", "daily_tokens"


class GaveUp(BadRequest):
    """An answer came that is none, as often as it is asked for; whoever asks again pays again."""

    code = "unusable_answer"


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
            GaveUp: what came is no reply.
        """
        if await asyncio.to_thread(self._spending.over):
            raise OverBudget(f"{self._spending.cap} tokens of today (UTC) are spent: `daily_tokens` of the engine")
        try:
            reply = await self._engine.chat(
                messages, version=version, max_tokens=max_tokens, priority=priority, deadline=deadline, **sampling
            )
        except Unusable as error:
            if error.paid:
                await self._add(answer_tokens(0, messages, ""))
            raise GaveUp(error.message) from None
        await self._add(answer_tokens(reply.prompt_tokens + reply.completion_tokens, messages, reply.text))
        return reply

    async def _add(self, cost: int) -> None:
        with contextlib.suppress(Unavailable):  # what was spent is asked of Redis again before the next copy
            await asyncio.to_thread(self._spending.add, self._purpose, cost)

    async def running(self) -> int:
        """See `Engine.running`."""
        return await self._engine.running()
