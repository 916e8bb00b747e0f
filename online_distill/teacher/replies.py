"""Targets of a teacher that tells log-probabilities of its own replies alone, as OpenAI's API does: it is asked anew.

There is no forced text, so what is learned is the reply that it gives now, in its own tokens. A reply of which a token
is none of the student's is learned as text, each token for certain.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from deploy.engines.client import TRIES, BlockingEngineClient
from deploy.engines.splitting.chats import split_chat
from deploy.engines.splitting.tokens import splitter_of
from deploy.engines.tokens import CONTROL_TOKENS
from deploy.engines.told import SaidToken, ToldReply, told_chat
from deploy.routing.document import SlotView
from online_distill.data.encoding import Encoded, Encoder
from online_distill.teacher.spoken import certain
from online_distill.teacher.targets import TopK
from online_distill.teacher.texts import Text
from online_distill.teacher.words import TokenBytes
from understudy.errors import BadRequest, Unavailable

SECONDS = 60.0
RETRY_SECONDS = 1.0
DOUBTED = 3
"""Texts one after the other whose replies cannot be, by what the API tells of their tokens: then it is not believed."""


class ReplyScorer:
    """Asks the API in the teacher's slot for replies; `spend` is told what each cost, `check` may stop the asking."""

    def __init__(
        self, where: Callable[[], SlotView | None], encoder: Encoder, *, top_k: int, max_reply: int, max_length: int,
        spend: Callable[[int], None] = lambda _: None, check: Callable[[], None] = lambda: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._where, self._encoder, self._words = where, encoder, TokenBytes(encoder.tokenizer)
        self._top_k, self._max_reply, self._max_length = top_k, max_reply, max_length
        self._spend, self._check, self._sleep = spend, check, sleep
        self._client: BlockingEngineClient | None = None
        self._place = ("", "")
        self._doubted = 0
        self.by_text = 0
        """Replies that were learned as text."""

    def answer(self, texts: Sequence[Text]) -> list[tuple[Encoded, TopK]]:
        """For each text the reply that the teacher gives to its messages now, with a row for each of its tokens.

        Raises:
            Unavailable: the teacher is away, or gives no answer that can be right to one text after the other.
            BadRequest: it refuses these messages, or what it says is too short or too long to learn from, or cannot be.
        """
        return [self._learned(text, self._asked(text)) for text in texts]

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
        self._client = None

    def _asked(self, text: Text) -> ToldReply:
        why, wrong = "it has no address", False
        for attempt in range(TRIES):
            self._check()
            slot = self._where()
            if slot is not None and slot.url:
                control = splitter_of(slot.control_tokens or CONTROL_TOKENS)
                query = told_chat(slot.model, split_chat(control, text.messages), self._max_reply, self._top_k)
                try:
                    found = self._engine(slot).ask(query, SECONDS)
                    self._spend(found.spent)
                    if not found.wrong:
                        self._doubted = 0
                        return found
                    why, wrong = found.wrong, True
                except Unavailable as error:
                    why, wrong = error.message, False
            self._sleep(RETRY_SECONDS * 2**attempt)
        self._doubted += wrong
        failed = BadRequest if wrong and self._doubted < DOUBTED else Unavailable
        raise failed(f"the teacher gave no reply to learn from: {why}")

    def _engine(self, slot: SlotView) -> BlockingEngineClient:
        place = (slot.url, slot.api_key)
        if self._client is None or place != self._place:
            self.close()
            self._client, self._place = BlockingEngineClient(*place), place
        return self._client

    def _learned(self, text: Text, told: ToldReply) -> tuple[Encoded, TopK]:
        prompt = list(text.encoded.tokens[: text.encoded.start])
        cut = told.finish_reason == "length"
        found = self._soft(told, cut)
        if found is None:
            self.by_text += 1
            encoded = self._encoder.encode(
                text.messages, told.text, cut=cut, max_length=self._max_length, max_reply=self._max_reply
            )
            if encoded is None:
                raise BadRequest("the reply is empty, or too long to learn from")
            return encoded, certain(encoded.tokens[encoded.start :], self._top_k)
        tokens, top = found
        if len(tokens) < 2 or len(prompt) + len(tokens) > self._max_length:
            raise BadRequest("the reply is empty, or too long to learn from")
        return Encoded([*prompt, *tokens], len(prompt)), top

    def _soft(self, told: ToldReply, cut: bool) -> tuple[list[int], TopK] | None:
        """Tokens and targets in the student's vocabulary; None where a token is none of it."""
        said = self._of_text(told)
        own = [self._words.id(one.raw) for one in said]
        tokens = [token for token in own if token is not None]
        if not said or len(tokens) < len(own):
            return None
        rows = [self._row(token, one) for token, one in zip(tokens, said, strict=True)]
        if not cut:
            tokens, rows = [*tokens, self._encoder.end], [*rows, certain([self._encoder.end], self._top_k)]
        return tokens, TopK(np.vstack([row.ids for row in rows]), np.vstack([row.logprobs for row in rows]))

    def _of_text(self, told: ToldReply) -> Sequence[SaidToken]:
        """The tokens that make up the text, without one for its end."""
        said, length = told.said or (), len(told.text.encode())
        return said if sum(len(one.raw) for one in said) == length else said[:-1]

    def _row(self, own: int, said: SaidToken) -> TopK:
        """The likeliest that the student has, likeliest first; what is lacking of k is ruled out."""
        likely: dict[int, float] = {}
        for raw, logprob in said.top:
            token = self._words.id(raw)
            if token is not None:
                likely.setdefault(token, min(0.0, logprob))
        if not likely:
            return certain([own], self._top_k)
        best = sorted(likely.items(), key=lambda item: -item[1])[: self._top_k]
        ids = [token for token, _ in best]
        spare = (token for token in range(self._top_k + len(ids)) if token not in likely)
        lacking = [next(spare) for _ in range(self._top_k - len(ids))]
        logprobs = [*(logprob for _, logprob in best), *[-np.inf] * len(lacking)]
        return TopK(np.array([[*ids, *lacking]], np.int32), np.array([logprobs], np.float32))
