"""Asks an API that somebody else runs what it gives, and fixed prompts, by whose answers another model shows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeVar

from deploy.engines.client import BlockingEngineClient
from deploy.engines.external import ExternalEngine
from deploy.engines.findings import ProbeAnswer, TeacherFindings, compared
from deploy.engines.queries import Query, refusal, understood
from deploy.engines.told import ReadText, ToldReply, text_tokens, told_chat
from understudy.clock import Clock, wall
from understudy.errors import UnderstudyError

PROMPTS = (
    "Name the capital of France and the river that flows through it.",
    "用一句话说明什么是客户服务。",
    "Compute 17 * 23 and give the result alone.",
    'Repeat exactly: Order 4711-B, 3.50 EUR, {"id": 42}, naïve café.',
    "Continue this list by one word: red, green,",
)
"""Asked as they stand, again and again: to change one is to ask another question."""
MOST_TOKENS = 32
SECONDS = 60.0
WIDTHS = (20, 10, 5)
"""Numbers of likeliest tokens that are asked for, the largest that is granted counts."""
VERDICTS = frozenset({200, 400, 404, 405, 413, 422, 501})
"""Statuses that say what an API can; any other says that it is away, busy, or does not let us in."""
Told = TypeVar("Told", ToldReply, ReadText)


def ask_teacher(
    engine: ExternalEngine, before: TeacherFindings | None, spend: Callable[[int], None], clock: Clock = wall
) -> TeacherFindings:
    """What the API gives and answers now, compared with `before`, which is of the same address and model.

    `spend` is told of the tokens of each answer.

    Raises:
        Unavailable: it is away, or has no time for us.
        UnderstudyError: it refuses to answer at all.
    """
    with contextlib.closing(BlockingEngineClient(engine.url, engine.key)) as client:
        asking = _Asking(client, engine.model, spend)
        replies, why_replies = asking.widest(lambda k: told_chat(engine.model, _turn(PROMPTS[0]), MOST_TOKENS, k))
        answers = tuple(asking.probe(prompt, replies, before) for prompt in PROMPTS)
        prefill, why_prefill, ids = asking.prefill()
    now = TeacherFindings(
        url=engine.url, model=engine.model, asked=round(clock(), 3), served=asking.served,
        fingerprint=asking.fingerprint, prefill=prefill, prefill_why=why_prefill, ids=ids, replies=replies,
        replies_why=why_replies, answers=answers,
    )  # fmt: skip
    return now if before is None or not before.asked else compared(before, now)


class _Asking:
    """One asking of one API."""

    def __init__(self, client: BlockingEngineClient, model: str, spend: Callable[[int], None]) -> None:
        self._client, self._model, self._spend = client, model, spend
        self.served = self.fingerprint = ""

    def certain(self, query: Query[Told]) -> Told:
        """What must be answered."""
        found = understood(query, self._client.send(query, SECONDS))
        self._spend(found.spent)
        return found

    def widest(self, query: Callable[[int], Query[Told]]) -> tuple[int, str]:
        """(the most likeliest tokens that are told, or 0; why not more).

        Raises:
            Unavailable: nobody knows, since the API is away, busy, or does not let us in.
        """
        why = ""
        for k in WIDTHS:
            asked = query(k)
            answer = self._client.send(asked, SECONDS)
            if answer.status not in VERDICTS:
                raise refusal(asked.path, answer)
            try:
                found = understood(asked, answer)
            except UnderstudyError as error:
                why = why or error.message
                continue
            self._spend(found.spent)
            if isinstance(found, ToldReply) and (found.said is None or len(found.said[0].top) < k):
                why = why or found.wrong or f"it answers without `logprobs`, or with fewer than {k}"
                continue
            return k, ""
        return 0, why

    def prefill(self) -> tuple[int, str, tuple[tuple[int, ...], ...]]:
        """(the most likeliest tokens that are told of a given text, or 0; why not more; its ids of the prompts).

        Asked when chat has answered: the API is there and lets us in, so whatever it fails by says that it cannot, as a
        proxy does that lets this route not through. That holds until it is asked anew.
        """
        spent: list[int] = []
        apart = _Asking(self._client, self._model, spent.append)
        ids: tuple[tuple[int, ...], ...] = ()
        try:
            k, why = apart.widest(lambda top: text_tokens(self._model, PROMPTS[0], top))
            if k:
                ids = tuple(apart.certain(text_tokens(self._model, prompt, 0)).ids for prompt in PROMPTS)
        except UnderstudyError as error:
            k, why = 0, error.message
        for tokens in spent:  # not before: an account that is away says nothing of the API
            self._spend(tokens)
        return k, why, ids

    def probe(self, prompt: str, top: int, before: TeacherFindings | None) -> ProbeAnswer:
        """The reply to a prompt, asked twice where it is new or another than before."""
        former = next((one for one in before.answers if one.prompt == prompt), None) if before else None
        first = self._reply(prompt, top)
        again = first if former is not None and former.text == first.text else self._reply(prompt, 0)
        said = None if first.said is None else tuple(one.raw.hex() for one in first.said)
        steady = first.text == again.text and (former is None or former.steady)
        return ProbeAnswer(prompt=prompt, text=first.text, steady=steady, tokens=said)

    def _reply(self, prompt: str, top: int) -> ToldReply:
        told = self.certain(told_chat(self._model, _turn(prompt), MOST_TOKENS, top))
        self.served, self.fingerprint = told.served, told.fingerprint
        return told


def _turn(prompt: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}]
