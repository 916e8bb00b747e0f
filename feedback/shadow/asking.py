"""How a worker asks an engine: a Protocol that `deploy.engines.client` implements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

BACKGROUND_PRIORITY = 10
"""vLLM priority of shadow and scoring requests; live traffic has 0, and lower goes first."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What an engine answered."""

    text: str
    version: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    tokens: tuple[int, ...] | None = None
    """Ids of its tokens; None of an engine that does not say."""


class Engine(Protocol):
    """One engine that serves one version."""

    async def chat(
        self,
        messages: list[dict[str, Any]],
        *,
        version: str,
        max_tokens: int,
        priority: int = BACKGROUND_PRIORITY,
        deadline: float = 30.0,
        **sampling: Any,
    ) -> Reply:
        """Greedy (unless `sampling` says otherwise) reply of `version`; `deadline` in seconds.

        Raises:
            understudy.errors.Conflict: the engine serves another version.
            understudy.errors.Unavailable: engine away, overloaded or past the deadline.
            understudy.errors.BadRequest: the engine refused the request itself.
        """
        ...

    async def running(self) -> int:
        """Requests that the engine runs or queues now."""
        ...
