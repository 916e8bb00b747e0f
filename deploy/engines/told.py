"""What an OpenAI-compatible API tells beside a reply: likeliest tokens, its model's name and fingerprint. No I/O.

Tokens are known by their bytes, since such an API has no ids that mean anything elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.engines.names import CHAT, COMPLETIONS
from deploy.engines.queries import HIGHEST, Query, reply_document
from feedback.store.spending import answer_tokens


@dataclass(frozen=True, slots=True)
class SaidToken:
    """A token of a reply, and those that were likeliest in its place, by bytes, with natural log-probabilities."""

    raw: bytes
    top: tuple[tuple[bytes, float], ...]


@dataclass(frozen=True, slots=True)
class ToldReply:
    """A greedy reply with all that the API said of it."""

    text: str
    finish_reason: str
    served: str
    """What the API calls the model that answered."""
    fingerprint: str
    """Its `system_fingerprint`."""
    spent: int
    """Tokens of prompt and reply, as the API counts them; guessed where it does not tell."""
    said: tuple[SaidToken, ...] | None
    """Its tokens; None where the API does not tell, or what it tells cannot be. One behind the text is the end that the
    model chose."""
    wrong: str = ""
    """Why what the API told of its tokens cannot be; the text was answered, and paid for, all the same."""


def told_chat(model: str, messages: Sequence[Mapping[str, Any]], max_tokens: int, top: int = 0) -> Query[ToldReply]:
    """A greedy reply; with `top` > 0 so many of the likeliest tokens at each position of it."""
    body: dict[str, Any] = {"model": model, "messages": list(messages), "max_tokens": max_tokens, "temperature": 0}
    if top:
        body |= {"logprobs": True, "top_logprobs": top}
    return Query("POST", CHAT, lambda answer: _told(answer, messages), body)


@dataclass(frozen=True, slots=True)
class ReadText:
    """What an API said of a text that it was given."""

    ids: tuple[int, ...]
    """Of its tokens but the first; empty where likeliest ones were asked for, too, which tells nothing of its own."""
    spent: int
    """Its tokens, and the one that such an API must say."""


def text_tokens(model: str, text: str, k: int) -> Query[ReadText]:
    """How an API reads `text`, by `prompt_logprobs` (of vLLM), with `k` likeliest tokens at each position.

    Reading raises ValueError where fewer than `k` are told.
    """

    def read(answer: str) -> ReadText:
        rows = json.loads(answer)["choices"][0]["prompt_logprobs"]
        if k and any(len(row) < k for row in rows[1:]):
            raise ValueError(f"fewer than {k} tokens at a position")
        return ReadText(() if k else tuple(int(next(iter(row))) for row in rows[1:]), len(rows) + 1)

    body = {
        "model": model, "prompt": text, "max_tokens": 1, "temperature": 0, "prompt_logprobs": k,
        "add_special_tokens": False,
    }  # fmt: skip
    return Query("POST", COMPLETIONS, read, body)


def _told(answer: str, messages: Sequence[Mapping[str, Any]]) -> ToldReply:
    found = reply_document(answer)
    choice, usage = found["choices"][0], found.get("usage") or {}
    text = choice["message"].get("content") or ""
    content = (choice.get("logprobs") or {}).get("content")
    said, wrong = None, ""
    if content:
        try:
            said = _said(content, text)
        except ValueError as error:
            wrong = str(error)
    return ToldReply(
        text=text,
        finish_reason=choice.get("finish_reason") or "",
        served=str(found.get("model") or ""),
        fingerprint=str(found.get("system_fingerprint") or ""),
        spent=answer_tokens(
            int(usage.get("prompt_tokens") or 0) + int(usage.get("completion_tokens") or 0), messages, text
        ),
        said=said,
        wrong=wrong,
    )


def _said(content: Sequence[Mapping[str, Any]], text: str) -> tuple[SaidToken, ...]:
    """The tokens of a reply.

    Raises:
        ValueError: they are not those of its text, or a log-probability is above 0 or no number.
    """
    found = tuple(SaidToken(_raw(entry), tuple(map(_likely, entry.get("top_logprobs") or ()))) for entry in content)
    if not all(logprob <= HIGHEST for one in found for _, logprob in one.top):
        raise ValueError("a log-probability of its reply is above 0, or no number")
    whole = text.encode()
    if b"".join(one.raw for one in found) != whole and b"".join(one.raw for one in found[:-1]) != whole:
        raise ValueError("its tokens say another text than its reply")
    return found


def _likely(entry: Mapping[str, Any]) -> tuple[bytes, float]:
    return _raw(entry), float(entry["logprob"])


def _raw(entry: Mapping[str, Any]) -> bytes:
    given = entry.get("bytes")
    return bytes(given) if given is not None else str(entry["token"]).encode()
