"""What can be asked of an engine, and how its answers are read. No I/O: `client` sends.

The openai package was considered: it knows neither `prompt_logprobs` nor versions nor metrics.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from deploy.engines.names import CHAT, COMPLETIONS, METRICS, MODELS, RUNNING, VERSION_HEADER, WAITING
from feedback.shadow.asking import Reply
from understudy.errors import BadRequest, Conflict, Unavailable, UnderstudyError

T = TypeVar("T")
Position = dict[int, float]
"""Natural log-probabilities at one position of a prompt, by token id; empty at the first."""
_BUSY = re.compile(rf"^(?:{RUNNING}|{WAITING})(?:\{{[^}}]*\}})? ([0-9.e+]+)$", re.MULTILINE)
HIGHEST = 1e-4
"""Log-probability (nats) up to which rounding explains what is above 0."""
_REFUSED = (400, 404, 413, 422)


class Unusable(Unavailable):
    """An answer came that is none; `paid`: with status 200, so whoever runs the engine may charge for it."""

    def __init__(self, message: str, *, paid: bool = False) -> None:
        super().__init__(message)
        self.paid = paid


@dataclass(frozen=True, slots=True)
class Query(Generic[T]):
    """One request; `read` makes of the text of an answer with status 200 what was asked for."""

    method: str
    path: str
    read: Callable[[str], T]
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    beside: bool = False
    """Whether the path lies beside the API, as health and metrics do, and not below its base."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    text: str
    retry_after: float | None = None
    """Seconds after which it may be asked again, where it says so."""


@dataclass(frozen=True, slots=True)
class Meant:
    """What only engines of ours are told: the version that is meant, and its priority among others' requests."""

    version: str
    priority: int = 0

    @property
    def headers(self) -> dict[str, str]:
        """The header that names the version."""
        return {VERSION_HEADER: self.version}


def chat(
    model: str, messages: Sequence[Mapping[str, Any]], max_tokens: int, meant: Meant | None = None, **more: Any
) -> Query[Reply]:
    """A reply, greedy unless `more` says otherwise; its version and seconds are for the caller to fill in.

    Engines of ours are asked for the ids of its tokens, too.
    """
    body = {"model": model, "messages": list(messages), "max_tokens": max_tokens, "temperature": 0, **more}
    return _work(CHAT, body if meant is None else {**body, "return_token_ids": True}, meant, _reply)


def prompt_logprobs(
    model: str, prompts: Sequence[Sequence[int]], k: int, meant: Meant | None = None
) -> Query[list[list[Position]]]:
    """For each prompt of token ids and each of its positions the k likeliest tokens, and the prompt's own."""

    def read(text: str) -> list[list[Position]]:
        choices = sorted(json.loads(text)["choices"], key=lambda choice: int(choice["index"]))
        if len(choices) != len(prompts):
            raise ValueError(f"{len(choices)} choices for {len(prompts)} prompts")
        return [_scored(prompt, choice["prompt_logprobs"]) for prompt, choice in zip(prompts, choices, strict=True)]

    body = {
        "model": model, "prompt": [list(prompt) for prompt in prompts], "max_tokens": 1, "temperature": 0,
        "prompt_logprobs": k,
    }  # fmt: skip
    return _work(COMPLETIONS, body, meant, read)


def own_logprobs(model: str, prompt: Sequence[int]) -> Query[list[float]]:
    """Log-probabilities (nats) of the prompt's own tokens at positions 1..n-1."""
    asked = prompt_logprobs(model, [prompt], 0)

    def read(text: str) -> list[float]:
        (positions,) = asked.read(text)
        return [found[token] for found, token in zip(positions[1:], prompt[1:], strict=True)]

    return Query(asked.method, asked.path, read, asked.body)


def models() -> Query[list[str]]:
    """Names of what is served."""
    return Query("GET", MODELS, lambda text: [str(row["id"]) for row in json.loads(text)["data"]])


def busy() -> Query[int]:
    """Requests that the engine runs or has waiting."""
    return Query("GET", METRICS, read_busy, beside=True)


def read_busy(metrics: str) -> int:
    """The same, out of Prometheus text; 0 where it says nothing of them."""
    return round(sum(float(number) for number in _BUSY.findall(metrics)))


def understood(query: Query[T], answer: Answer) -> T:
    """What was asked for.

    Raises:
        Conflict: the engine serves another version.
        BadRequest: it refused the request itself.
        Unusable: it could not answer, or is no engine.
    """
    if answer.status != 200:
        raise refusal(query.path, answer)
    try:
        return query.read(answer.text)
    except json.JSONDecodeError as error:
        raise Unusable(
            f"the answer to {query.path} is not that of an engine: cut short, or not JSON ({error})", paid=True
        ) from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        if (said := _error_of(answer.text)) is not None:
            raise Unusable(f"the engine answered {query.path} with 200 and yet an error: {said}", paid=True) from None
        raise Unusable(f"the answer to {query.path} is not that of an engine: {error!r}", paid=True) from None


def _error_of(text: str) -> str | None:
    """The message of an error object; None where it is none."""
    try:
        error = json.loads(text)["error"]
        return str(error["message"] if isinstance(error, dict) else error)[:500]
    except (ValueError, LookupError, TypeError):
        return None


def refusal(path: str, answer: Answer) -> UnderstudyError:
    """The error that an answer stands for whose status is not 200."""
    said = _error_of(answer.text) or answer.text[:200]
    message = f"the engine answered {path} with {answer.status}: {said}"
    if answer.status == 409:
        return Conflict(message, code="version_mismatch")
    return BadRequest(message) if answer.status in _REFUSED else Unusable(message)


def _work(path: str, body: dict[str, Any], meant: Meant | None, read: Callable[[str], T]) -> Query[T]:
    if meant is None:
        return Query("POST", path, read, body)
    return Query("POST", path, read, {**body, "priority": meant.priority}, meant.headers)


def _scored(prompt: Sequence[int], rows: Sequence[Mapping[str, Mapping[str, Any]] | None]) -> list[Position]:
    """The positions of a prompt.

    Raises:
        ValueError: they are not those of its tokens, or a log-probability is above 0 or no number.
    """
    found = _positions(rows)
    if len(found) != len(prompt):
        raise ValueError(f"{len(found)} positions for {len(prompt)} tokens: it reads other tokens than it was given")
    for place, (token, position) in enumerate(zip(prompt, found, strict=True)):
        if place and token not in position:
            raise ValueError(f"position {place} does not tell of its own token {token}: it reads other tokens")
        if not all(logprob <= HIGHEST for logprob in position.values()):
            raise ValueError(f"a log-probability at position {place} is above 0, or no number")
    return found


def _positions(rows: Sequence[Mapping[str, Mapping[str, Any]] | None]) -> list[Position]:
    return [{int(token): float(entry["logprob"]) for token, entry in (row or {}).items()} for row in rows]


def _token_ids(given: Any) -> tuple[int, ...] | None:
    if not isinstance(given, list) or not given or not all(type(token) is int and token >= 0 for token in given):
        return None
    return tuple(given)


def reply_document(text: str) -> Any:
    """The document of an answer that is a reply.

    Raises:
        ValueError: it is no JSON, or tells an error, which may stand beside half a reply.
    """
    answer = json.loads(text)
    if answer.get("error"):
        raise ValueError("it tells an error")
    return answer


def _reply(text: str) -> Reply:
    answer = reply_document(text)
    choice, usage = answer["choices"][0], answer.get("usage") or {}
    return Reply(
        text=choice["message"].get("content") or "",
        version="",
        finish_reason=choice.get("finish_reason") or "",
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        completion_tokens=int(usage.get("completion_tokens") or 0),
        seconds=0.0,
        tokens=_token_ids(choice.get("token_ids")),
    )
