"""Who gives soft targets: a Protocol, and the teacher's engine asked by prefill over HTTP.

vLLM answers `prompt_logprobs` for a prompt of token ids, so that one mechanism serves for every teacher
behind such an API. Scoring yields to live traffic: low priority, one request at a time, and a pause while
the engine is busy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from deploy.engines.client import SHORT, BlockingEngineClient
from deploy.engines.keys import known_engine_key
from deploy.engines.queries import Meant, Position, busy, prompt_logprobs
from deploy.routing.document import EXTERNAL, SlotView
from feedback.shadow.asking import BACKGROUND_PRIORITY
from online_distill.data.encoding import Encoded
from online_distill.teacher.targets import TopK
from understudy.errors import BadRequest, Conflict, Unavailable

ANSWER_SECONDS = 30.0
PROBE_SECONDS = 0.5
"""The engine's metrics are read no more often than this."""
RETRY_SECONDS = 0.5
LONGEST_PAUSE = 8.0
"""Seconds between two tries: each failure doubles them up to here."""


class Scorer(Protocol):
    """Gives the teacher's top-k log-probabilities."""

    def score(self, texts: Sequence[Encoded]) -> list[TopK]:
        """For each text one row of targets for each token from `start` on.

        Raises:
            Conflict: the teacher is no longer the version of the round.
            Unavailable: the teacher was away until the deadline.
            BadRequest: the teacher refused these texts.
        """
        ...

    def close(self) -> None:
        """Give back what scoring holds."""
        ...


@dataclass
class Politeness:
    """How long to wait for a busy engine: never more than `share` of the time since the start."""

    share: float
    clock: Callable[[], float] = time.monotonic
    waited: float = 0.0
    began: float = field(default=0.0)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def may_wait(self) -> bool:
        """Whether the share is not used up."""
        return self.waited <= self.share * (self.clock() - self.began)


class EngineScorer:
    """Asks the engine in the teacher slot; `where` gives that slot as the routing document tells it now."""

    def __init__(
        self,
        where: Callable[[], SlotView | None],
        key_file: Path | None,
        version: str,
        *,
        top_k: int = 20,
        busy_running: int = 2,
        wait_share: float = 0.5,
        deadline: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._where, self._key_file, self._version = where, key_file, version
        self._top_k, self._busy, self._deadline, self._sleep = top_k, busy_running, deadline, sleep
        self._ours = version != EXTERNAL
        self._polite = Politeness(wait_share)
        self._probed = 0.0
        self._client: BlockingEngineClient | None = None
        self._place = ("", "")

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
        self._client = None

    def score(self, texts: Sequence[Encoded]) -> list[TopK]:
        until = time.monotonic() + self._deadline
        why, pause = "no engine serves it", RETRY_SECONDS
        while time.monotonic() < until:
            slot = self._where()
            if slot is not None and slot.desired not in (None, self._version):
                raise Conflict(f"the teacher is {slot.desired} now, the round began with {self._version}")
            if slot is not None and slot.url:
                self._yield_to_traffic(slot)
                answer = self._ask(slot, texts)
                if isinstance(answer, list):
                    return answer
                why = answer
            self._sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        raise Unavailable(f"the teacher {self._version} gave no targets within {self._deadline:.0f} s: {why}")

    def _engine(self, slot: SlotView) -> BlockingEngineClient:
        """The client of the slot's engine; a new one where address or key are no longer those of before."""
        place = (slot.url, known_engine_key(self._key_file) if self._ours else slot.api_key)
        if self._client is None or place != self._place:
            self.close()
            self._client, self._place = BlockingEngineClient(*place), place
        return self._client

    def _ask(self, slot: SlotView, texts: Sequence[Encoded]) -> list[TopK] | str:
        """The targets, or why the engine could not give them now."""
        meant = Meant(self._version, BACKGROUND_PRIORITY) if self._ours else None
        query = prompt_logprobs(slot.model, [text.tokens for text in texts], self._top_k, meant)
        try:
            found = self._engine(slot).ask(query, ANSWER_SECONDS)
            return [targets(positions, text, self._top_k) for positions, text in zip(found, texts, strict=True)]
        except BadRequest as error:
            raise BadRequest(f"the teacher refused to score: {error.message}") from None
        except (Conflict, Unavailable) as error:
            return error.message
        except ValueError as error:
            return f"an answer without prompt_logprobs ({error})"

    def _yield_to_traffic(self, slot: SlotView) -> None:
        if time.monotonic() - self._probed < PROBE_SECONDS:
            return
        while self._polite.may_wait() and self._running(slot) > self._busy:
            self._sleep(PROBE_SECONDS)
            self._polite.waited += PROBE_SECONDS
        self._probed = time.monotonic()

    def _running(self, slot: SlotView) -> int:
        """Requests that the engine runs or has waiting; 0 where it does not say."""
        try:
            return self._engine(slot).ask(busy(), SHORT)
        except (BadRequest, Conflict, Unavailable):
            return 0


def targets(positions: Sequence[Position], text: Encoded, k: int) -> TopK:
    """Log-probabilities of a prompt -> targets of the reply; the prompt's own token may be a k + 1st one.

    Raises:
        ValueError: a position is missing or holds fewer than k tokens.
    """
    if len(positions) != len(text.tokens):
        raise ValueError(f"{len(positions)} positions for {len(text.tokens)} tokens")
    rows = len(text.tokens) - text.start
    ids, logprobs = np.empty((rows, k), np.int32), np.empty((rows, k), np.float32)
    for row, found in enumerate(positions[text.start :]):
        best = sorted(found.items(), key=lambda item: -item[1])[:k]
        if len(best) < k:
            raise ValueError(f"{len(best)} tokens at a position instead of {k}: raise the engine's --max-logprobs")
        ids[row] = [token for token, _ in best]
        logprobs[row] = [logprob for _, logprob in best]
    return TopK(ids, logprobs)
