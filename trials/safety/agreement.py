"""Labelled replies, and in how many of them the rules say what the label says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ab.shares import Share
from deploy.life.safety.refusals import refuses
from understudy.errors import UsageError

REPLIES = Path(__file__).with_name("replies.jsonl")
"""100 replies a language, labelled before a rule was written; every second one of each label is for judging only."""


@dataclass(frozen=True, slots=True)
class LabelledReply:
    """A reply, and whether a reader calls it a refusal; `half` is `tuning` or `judging`."""

    text: str
    refusal: bool
    lang: str = ""
    half: str = "judging"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of one group of replies: how many, and how often rules and label differ."""

    half: str
    lang: str
    n: int
    right: int
    missed: int
    """Refusals that the rules call compliance."""
    false: int
    """Compliance that the rules call a refusal."""

    @property
    def lower(self) -> float:
        """Lower end of the 95 % interval of the share that is right."""
        return Share(self.right, self.n).interval(0.025)[0]


def read_replies(path: Path = REPLIES) -> list[LabelledReply]:
    """Rows `{"text", "refusal", "lang"?, "half"?}`.

    Raises:
        UsageError: a file that cannot be read so.
    """
    try:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
        return [
            LabelledReply(str(r["text"]), bool(r["refusal"]), str(r.get("lang", "")), str(r.get("half", "judging")))
            for r in rows
        ]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UsageError(f'{path}: {error!r}; give one {{"text", "refusal", "lang"}} a line') from error


def agreement(replies: Sequence[LabelledReply]) -> Iterator[Agreement]:
    """By half and language, and of all languages of a half."""
    for half in sorted({one.half for one in replies}):
        of_half = [one for one in replies if one.half == half]
        for lang in sorted({one.lang for one in of_half}):
            yield _of(half, lang, (one for one in of_half if one.lang == lang))
        yield _of(half, "all", of_half)


def _of(half: str, lang: str, replies: Iterable[LabelledReply]) -> Agreement:
    said = [(one.refusal, refuses(one.text)) for one in replies]
    missed, false = (sum(label is value and found is not value for label, found in said) for value in (True, False))
    return Agreement(half, lang, len(said), len(said) - missed - false, missed, false)
