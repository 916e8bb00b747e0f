"""A classifier of somebody else's, asked as OpenAI's moderation API is, within what is left of the guard's deadline."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import httpx
import msgspec

from deploy.engines.address import api_url
from serving.guard.cascade import ALLOWED, GuardedText
from serving.guard.config import GuardEndpoint
from serving.guard.remembered import JudgementMemory
from serving.guard.verdict import GuardJudgement, GuardVerdict, worst
from serving.guard.windows import fitted

log = logging.getLogger("understudy.gateway")
CONNECTIONS = 32
"""Questions under way at once; a further one waits, and fails with its deadline."""
LONGEST_ANSWER = 1 << 20
STAGE = "endpoint"


class _Flagged(msgspec.Struct):
    flagged: bool


class _Moderation(msgspec.Struct):
    results: list[_Flagged]


_moderation = msgspec.json.Decoder(_Moderation)


class Classifier:
    """Asks one endpoint; `close` it at the end."""

    def __init__(self, config: GuardEndpoint, remembered: int) -> None:
        self._config = config
        self._url = api_url(config.url, "/moderations")
        self._remembered = JudgementMemory(remembered)
        headers = {"authorization": f"Bearer {config.key}"} if config.key else {}
        self._client = httpx.AsyncClient(
            headers=headers, limits=httpx.Limits(max_connections=CONNECTIONS), timeout=None, trust_env=False
        )
        self.failures = 0

    async def judge(self, texts: Sequence[GuardedText], seconds: float) -> GuardJudgement:
        """The judgement of `texts` within `seconds`; where none comes, that of `on_failure`."""
        names = {self._remembered.name(one.text, b""): one for one in texts if not one.trust}
        found = ALLOWED
        for known in filter(None, map(self._remembered.get, names)):
            found = worst(found, known)
        new = [(name, one) for name, one in names.items() if self._remembered.get(name) is None]
        if not new:
            return found
        parts, _ = fitted([one.text for _, one in new])
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                flagged = await self._asked(["\n".join(mine) for mine in parts])
        except (TimeoutError, httpx.HTTPError, ValueError) as error:
            self.failures += 1
            log.warning("the guard's endpoint did not judge: %s", error or type(error).__name__)
            return (
                GuardJudgement(GuardVerdict.DEGRADE, STAGE, again=True)
                if self._config.on_failure == "degrade"
                else found
            )
        for (name, _), bad in zip(new, flagged, strict=True):
            judged = GuardJudgement(GuardVerdict(self._config.verdict), STAGE) if bad else ALLOWED
            self._remembered.put(name, judged)
            found = worst(found, judged)
        return found

    async def _asked(self, texts: list[str]) -> list[bool]:
        """Of each text whether the endpoint flags it.

        Raises:
            ValueError: the answer is not what was asked for.
        """
        question: dict[str, Any] = {"input": texts}
        if self._config.model:
            question["model"] = self._config.model
        async with self._client.stream("POST", self._url, json=question) as reply:
            if reply.status_code != 200:
                raise ValueError(f"it answered {reply.status_code}")
            raw = b""
            async for part in reply.aiter_bytes():
                raw += part
                if len(raw) > LONGEST_ANSWER:
                    raise ValueError("its answer is too long")
        return verdicts_of(raw, len(texts))

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()


def verdicts_of(raw: bytes, count: int) -> list[bool]:
    """What an answer says of `count` texts.

    Raises:
        ValueError: it is no answer of a moderation API, or one about another number of texts.
    """
    answer = _moderation.decode(raw)
    if len(answer.results) != count:
        raise ValueError(f"it judged {len(answer.results)} texts of {count}")
    return [result.flagged for result in answer.results]
