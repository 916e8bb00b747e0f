"""A dead letter as it is read from a topic's `.dlt`: its parts put together, its bytes exact.

`feedback.letters` writes them. Its second schema is read here, and the first, which had neither parts nor a session
and cut its `value`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from feedback.letters import letter_id, value_of
from understudy.errors import BadRequest


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message of a `.dlt` topic: a letter, or one of its `parts`."""

    id: str
    """The same for all parts, and whenever the same event is buried."""
    topic: str
    """Where the event was on its way; without `.dlt`."""
    session: str
    """By which the event was ordered; empty where nobody knows it."""
    spool: str
    number: int
    position: str
    error: str
    part: int
    parts: int
    sha256: str
    """Of the whole event; empty where the letter does not say."""
    at: float
    """Seconds since the epoch, when it was buried; 0 where the letter does not say."""
    content: bytes
    """The event's bytes, of this part."""


def read(message: bytes) -> DeadLetter | None:
    """The letter, or part of one, that a message of a `.dlt` topic holds; None: it is none."""
    try:
        given = json.loads(message)
        return _letter(given) if isinstance(given, dict) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def join(parts: Iterable[DeadLetter]) -> DeadLetter:
    """The letter whose `parts` these are, in any order, some perhaps twice.

    Raises:
        BadRequest: a part is missing, or the bytes are not those that were buried.
    """
    by_number = {part.part: part for part in parts}
    first = next(iter(by_number.values()))
    missing = [str(n) for n in range(1, first.parts + 1) if n not in by_number]
    if missing:
        raise BadRequest(f"the letter {first.id} lacks part {', '.join(missing)} of {first.parts}: the bus dropped it")
    content = b"".join(by_number[n].content for n in range(1, first.parts + 1))
    if first.sha256 and hashlib.sha256(content).hexdigest() != first.sha256:
        raise BadRequest(f"the letter {first.id} does not hold the bytes that were buried")
    return replace(first, part=1, parts=1, content=content)


def _letter(given: dict[str, Any]) -> DeadLetter:
    if given["schema_version"] not in (1, 2):
        raise ValueError("a schema of later versions")
    topic, spool, number, position = given["topic"], given["spool"], int(given["number"]), given["position"]
    text = given["value"]
    identity = given.get("letter") or letter_id(topic, spool, number, position, text.encode("utf-8", "surrogateescape"))
    return DeadLetter(
        id=identity, topic=topic, session=given.get("session", ""), spool=spool, number=number, position=position,
        error=given["error"], part=int(given.get("part", 1)), parts=int(given.get("parts", 1)),
        sha256=given.get("sha256", ""), at=float(given.get("at", 0.0)),
        content=value_of([{"part": 1, "parts": 1, "value": text}]),
    )  # fmt: skip
