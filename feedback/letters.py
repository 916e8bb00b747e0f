"""Dead letters: an event that could not be taken or applied, whole, in parts where one message cannot hold it.

Bytes that are no UTF-8 stand in the text as lone surrogates (PEP 383), so that every value comes back as it was.
"""

from __future__ import annotations

import hashlib
import json
import time

from understudy.ids import stable_id

LIMIT = 900_000
"""Bytes of one message at most, where the bus does not say what it takes."""
HEAD = 4096
"""Bytes of a letter beside the value, at most."""
WORST = 6
"""Bytes of JSON that one byte of a value may become (`\\u0000`)."""


def letters(
    topic: str, session: str, value: bytes, error: str, *,
    spool: str = "", number: int = 0, position: str = "", limit: int = LIMIT,
) -> list[bytes]:  # fmt: skip
    """The messages for `<topic>.dlt` that hold `value` whole, each of `limit` bytes at most, in order.

    `letter` is the same for all parts of one; `part` counts from 1 to `parts`; `error` says what was wrong.
    """
    chunk = max(1, (max(limit, HEAD + WORST) - HEAD) // WORST)
    pieces = [value[at : at + chunk] for at in range(0, len(value), chunk)] or [b""]
    head = {
        "schema_version": 2,
        "letter": letter_id(topic, spool, number, position, value),
        "topic": topic,
        "session": session[:256],
        "spool": spool,
        "number": number,
        "position": position,
        "error": error[:300].encode("utf-8", "replace").decode(),
        "at": time.time(),
        "sha256": hashlib.sha256(value).hexdigest(),
        "parts": len(pieces),
    }
    return [
        _json({**head, "part": part, "value": piece.decode("utf-8", "surrogateescape")})
        for part, piece in enumerate(pieces, 1)
    ]


def letter_id(topic: str, spool: str, number: int, position: str, value: bytes) -> str:
    """Id of the letter of an event, the same whenever it is buried; one position may name events of two partitions."""
    return stable_id("letter", topic, spool, str(number), position, hashlib.sha256(value).hexdigest())


def value_of(parts: list[dict[str, object]]) -> bytes:
    """The value that the parts of one letter hold, in their order.

    Raises:
        ValueError: a part is missing.
    """
    ordered = {part["part"]: str(part["value"]) for part in parts}
    wanted = range(1, int(str(parts[0]["parts"])) + 1) if parts else range(1)
    if sorted(ordered, key=str) != sorted(wanted, key=str):
        raise ValueError(f"the letter has {len(ordered)} of {len(wanted)} parts")
    return b"".join(ordered[part].encode("utf-8", "surrogateescape") for part in wanted)


def _json(letter: dict[str, object]) -> bytes:
    try:
        return json.dumps(letter, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(letter).encode()
