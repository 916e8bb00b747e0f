"""Who gives soft targets: a Protocol, and the teacher's engine asked by prefill over HTTP.

vLLM answers `prompt_logprobs` for a prompt of token ids, so that one mechanism serves for every teacher
behind such an API. Scoring yields to live traffic: low priority, one request at a time, and a pause while
the engine is busy.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
import numpy as np

from deploy.routing.document import SlotView
from feedback.shadow.asking import BACKGROUND_PRIORITY
from online_distill.data.encoding import Encoded
from online_distill.teacher.targets import TopK
from understudy.errors import BadRequest, Conflict, Unavailable

RUNNING = "vllm:num_requests_running"
PROBE_SECONDS = 0.5
"""The engine's metrics are read no more often than this."""
RETRY_SECONDS = 0.5
KEY_VARIABLE = "UNDERSTUDY_ENGINE_KEY"


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
        self._polite = Politeness(wait_share)
        self._probed = 0.0
        self._client = httpx.Client(timeout=httpx.Timeout(30.0, connect=2.0))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def score(self, texts: Sequence[Encoded]) -> list[TopK]:
        until = time.monotonic() + self._deadline
        why = "no engine serves it"
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
            self._sleep(RETRY_SECONDS)
        raise Unavailable(f"the teacher {self._version} gave no targets within {self._deadline:.0f} s: {why}")

    def _headers(self, slot: SlotView) -> dict[str, str]:
        key = slot.api_key or os.environ.get(KEY_VARIABLE, "")
        if not key and self._key_file is not None and self._key_file.is_file():
            key = self._key_file.read_text("utf-8").strip()
        named = {"x-understudy-version": self._version}
        return {**named, "authorization": f"Bearer {key}"} if key else named

    def _ask(self, slot: SlotView, texts: Sequence[Encoded]) -> list[TopK] | str:
        """The targets, or why the engine could not give them now."""
        body = {
            "model": slot.model, "prompt": [text.tokens for text in texts], "max_tokens": 1, "temperature": 0,
            "prompt_logprobs": self._top_k, "priority": BACKGROUND_PRIORITY,
        }  # fmt: skip
        try:
            answer = self._client.post(f"{slot.url}/v1/completions", json=body, headers=self._headers(slot))
        except httpx.HTTPError as error:
            return f"{type(error).__name__} {error}"
        if answer.status_code in (400, 404, 413, 422):
            raise BadRequest(f"the teacher refused to score: {answer.status_code} {answer.text[:300]}")
        if answer.status_code != 200:
            return f"status {answer.status_code}"
        try:
            choices = sorted(answer.json()["choices"], key=lambda choice: int(choice["index"]))
            return [parse(c["prompt_logprobs"], t, self._top_k) for c, t in zip(choices, texts, strict=True)]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return f"an answer without prompt_logprobs ({error})"

    def _yield_to_traffic(self, slot: SlotView) -> None:
        if time.monotonic() - self._probed < PROBE_SECONDS:
            return
        while self._polite.may_wait() and (self._running(slot) or 0) > self._busy:
            self._sleep(PROBE_SECONDS)
            self._polite.waited += PROBE_SECONDS
        self._probed = time.monotonic()

    def _running(self, slot: SlotView) -> float | None:
        try:
            answer = self._client.get(f"{slot.url}/metrics", headers=self._headers(slot))
        except httpx.HTTPError:
            return None
        return running(answer.text) if answer.status_code == 200 else None


def running(metrics: str) -> float:
    """Requests that run, out of Prometheus text."""
    lines = [line for line in metrics.splitlines() if line.startswith(RUNNING)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def parse(positions: list[dict[str, Any] | None], text: Encoded, k: int) -> TopK:
    """vLLM's `prompt_logprobs` -> targets of the reply; the prompt's own token may be a k + 1st entry.

    Raises:
        ValueError: a position is missing or holds fewer than k tokens.
    """
    if len(positions) != len(text.tokens):
        raise ValueError(f"{len(positions)} positions for {len(text.tokens)} tokens")
    rows = len(text.tokens) - text.start
    ids, logprobs = np.empty((rows, k), np.int32), np.empty((rows, k), np.float32)
    for row, entries in enumerate(positions[text.start :]):
        best = sorted((entries or {}).items(), key=lambda item: -float(item[1]["logprob"]))[:k]
        if len(best) < k:
            raise ValueError(f"{len(best)} tokens at a position instead of {k}: raise the engine's --max-logprobs")
        ids[row] = [int(token) for token, _ in best]
        logprobs[row] = [float(entry["logprob"]) for _, entry in best]
    return TopK(ids, logprobs)
