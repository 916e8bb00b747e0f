"""Rows of a replay file as prompts, and the tally of what became of them. No network."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, NoReturn, cast

from understudy.errors import UsageError

ROLES = frozenset({"system", "developer", "user", "assistant"})
ReplayMessage = dict[str, str]

REASONS = 20
"""Different reasons of failures that are told apart."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request to send: messages that end with a user turn, and whose it is."""

    messages: list[ReplayMessage]
    session: str = ""
    user: str = ""


@dataclass(slots=True)
class Tally:
    """Counts and times of a replay."""

    skipped: int = 0
    requests: int = 0
    failures: int = 0
    refused: int = 0
    """Requests that the server refused for their own sake, such as prompts that are too long (400, 413, 422)."""
    truncated: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    arms: Counter[str] = field(default_factory=Counter)
    degraded: Counter[str] = field(default_factory=Counter)
    """Replies that no arm gave, by what stood before it: `guard`, `breaker` or `deadline`."""
    versions: Counter[str] = field(default_factory=Counter)
    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    """Why requests failed or were refused; beyond `REASONS` different ones, as `other`."""
    by_arm: dict[str, list[float]] = field(default_factory=dict)
    """Latency by the arm that answered."""
    error: str = ""
    seconds: float = 0.0

    def broken(self, error: str) -> None:
        """The connection failed before or within the reply."""
        self.requests += 1
        self.failures += 1
        self.because(error)

    def because(self, why: str) -> None:
        """Count a reason."""
        self.error = why
        self.reasons[why if why in self.reasons or len(self.reasons) < REASONS else "other"] += 1

    def answered(
        self, status: int, headers: dict[str, str], first: float, seconds: float, complete: bool, why: str = ""
    ) -> None:
        """A reply came; `first` and `seconds` from the request to its first and last byte; `why` it is no good one."""
        self.requests += 1
        self.statuses[str(status)] += 1
        if status != 200:
            refused = status in (400, 413, 422)
            self.refused += refused
            self.failures += not refused
            self.because(f"{status}: {why}" if why else str(status))
            return
        if not complete:
            self.truncated += 1
            self.failures += 1
            self.because(why or "the reply broke off before its end")
        self.first.append(first)
        self.whole.append(seconds)
        if cause := headers.get("x-understudy-degraded"):
            self.degraded[cause] += 1  # by no arm
            return
        self.arms[headers.get("x-understudy-arm", "unknown")] += 1
        self.versions[headers.get("x-understudy-version", "unknown")] += 1
        self.by_arm.setdefault(headers.get("x-understudy-arm", "unknown"), []).append(seconds)

    def summary(self) -> dict[str, Any]:
        """What is printed; seconds throughout."""
        return {
            "requests": self.requests, "failures": self.failures, "refused": self.refused,
            "truncated": self.truncated, "skipped_rows": self.skipped, "seconds": round(self.seconds, 2),
            "statuses": dict(self.statuses), "arms": dict(self.arms), "versions": dict(self.versions),
            "first_byte": percentiles(self.first), "latency": percentiles(self.whole),
            "latency_by_arm": {arm: percentiles(values) for arm, values in sorted(self.by_arm.items())},
            **({"degraded": dict(self.degraded)} if self.degraded else {}),
            **({"reasons": dict(self.reasons.most_common())} if self.reasons else {}),
            **({"last_error": self.error} if self.error else {}),
        }  # fmt: skip


def percentiles(values: list[float]) -> dict[str, float]:
    """p50, p90, p99 and the largest, by the nearest rank; empty without values."""
    if not values:
        return {}
    ordered = sorted(values)
    rank = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {n: round(ordered[max(0, -(-int(q * 1000) * len(ordered) // 1000) - 1)], 4) for n, q in rank.items()}


def prompts(
    path: Path, turns: Literal["last", "all"], limit: int, tally: Tally, bad: Callable[[int, str], None]
) -> list[Prompt]:
    """The prompts of a file; rows that cannot be sent are counted and given to `bad` with their line number."""
    found: list[Prompt] = []
    with opened(path) as rows:
        for number, raw in numbered(rows, bad):
            try:
                found += of_row(json.loads(raw), turns)
            except (ValueError, TypeError, AttributeError, KeyError) as error:
                tally.skipped += 1
                bad(number, str(error) or type(error).__name__)
            if limit and len(found) >= limit:
                return found[:limit]
    return found


def turns(path: Path) -> Iterator[tuple[int, list[Prompt]]]:
    """Line number and the prompts of every row of a file in which each row must be a dialogue.

    Raises:
        UsageError: a row is none, or the file cannot be read; names the line.
    """

    def refuse(number: int, why: str) -> NoReturn:
        raise UsageError(f"{path}, line {number}: {why}")

    if not path.is_file():
        raise UsageError(f"{path} is no file")
    with opened(path) as rows:
        for number, raw in numbered(rows, refuse):
            try:
                found = of_row(json.loads(raw), "all")
            except (ValueError, TypeError, AttributeError, KeyError) as error:
                refuse(number, str(error) or type(error).__name__)
            yield number, found


def opened(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked when it is gzip by its first bytes, whatever its name."""
    with path.open("rb") as probe:
        packed = probe.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb")


def numbered(rows: IO[bytes], bad: Callable[[int, str], None]) -> Iterator[tuple[int, bytes]]:
    """Lines that are not empty, with their numbers; a damaged archive ends the file with a complaint."""
    number = 0
    try:
        for number, raw in enumerate(rows, 1):
            if raw.strip():
                yield number, raw
    except (OSError, EOFError) as error:
        bad(number + 1, f"the file cannot be read on: {error}")


def of_row(row: Any, turns: Literal["last", "all"]) -> list[Prompt]:
    """Prompts of one row.

    Raises:
        ValueError: it holds no messages with a user turn.
    """
    if not isinstance(row, dict) or not isinstance(row.get("messages"), list):
        raise ValueError("a row is an object with `messages`, a list")
    messages = [kept(message) for message in row["messages"]]
    spoken = [message for message in messages if message is not None]
    ends = [i for i, message in enumerate(spoken) if message["role"] == "user"]
    if not ends:
        raise ValueError("no message of the role user")
    session = str(row.get("session") or row.get("id") or "")
    user = str(row.get("user") or "")
    chosen = ends if turns == "all" else ends[-1:]
    return [Prompt(spoken[: end + 1], header(session), header(user)) for end in chosen]


def kept(message: Any) -> ReplayMessage | None:
    """A message with role and text; None for one without text, such as a tool call.

    Raises:
        ValueError: the message has no role.
    """
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise ValueError("a message is an object with `role` and `content`")
    text = message.get("content")
    if message["role"] not in ROLES or not isinstance(text, str) or not text.strip():
        return None
    return {"role": message["role"], "content": text}


def header(text: str) -> str:
    """`text` as a header's value: plain ASCII without control characters."""
    return "".join(ch if " " < ch < "\x7f" else f"-{ord(ch):x}-" for ch in text)[:200]
