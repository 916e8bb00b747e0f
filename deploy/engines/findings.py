"""What an API that somebody else runs was found to give and to answer, and what it answers otherwise later.

Kept in the registry without any key. Who asks is `deploy.engines.probing`; comparing is pure.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from understudy.files import write_json
from understudy.state import StateDir

FILE = "external-teacher.json"
KEPT_CHANGES = 20
RECENT = 7 * 86_400.0
"""Seconds for which a change is shown as a warning."""
REPLACED = 0.5
"""Share of the probes from which on other answers mean another model, not a model that answers a little otherwise."""
SHOWN = 60
"""Characters of a reply that a change shows."""


class _OfApi(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ProbeAnswer(_OfApi):
    """A fixed prompt and the greedy reply to it; `steady` where it was the same when asked again at once."""

    prompt: str
    text: str
    steady: bool = True
    tokens: tuple[str, ...] | None = None
    """Its tokens as the API told them, their bytes in hexadecimal; None where it does not."""


class TeacherChange(_OfApi):
    """What was answered otherwise, and whether so much of it that it is another model."""

    at: float
    what: tuple[str, ...]
    replaced: bool = False


class TeacherFindings(_OfApi):
    """All that is known of the API at `url` under the name `model`."""

    schema_version: Literal[1] = 1
    url: str
    model: str
    asked: float = 0.0
    """When, in seconds since the epoch; 0: it never answered."""
    error: str = ""
    """Why it could not be asked the last time; empty where it could."""
    served: str = ""
    """What it calls the model that answers."""
    fingerprint: str = ""
    prefill: int = 0
    """Likeliest tokens at each position of a given text that it tells; 0: none."""
    prefill_why: str = ""
    ids: tuple[tuple[int, ...], ...] = ()
    """With `prefill`: its ids of the tokens of each probe's prompt, but the first."""
    replies: int = 0
    """Likeliest tokens at each position of its own reply that it tells; 0: none."""
    replies_why: str = ""
    answers: tuple[ProbeAnswer, ...] = ()
    since: float = 0.0
    """When it was replaced by another model last."""
    changes: tuple[TeacherChange, ...] = ()

    def is_of(self, url: str, model: str) -> bool:
        """Whether it is about this API."""
        return (self.url, self.model) == (url, model)

    def recent(self, now: float) -> list[TeacherChange]:
        """Changes of the last days, which somebody may not have seen yet."""
        return [change for change in self.changes if change.at > now - RECENT]

    @property
    def identity(self) -> str:
        """What names this teacher among all that were ever at this address."""
        steady = [answer.text for answer in self.answers if answer.steady]
        told = json.dumps([self.url, self.model, self.served, self.fingerprint, self.since, steady])
        return f"external-{hashlib.sha256(told.encode()).hexdigest()[:24]}"

    @property
    def gives(self) -> str:
        """In words."""
        if self.prefill:
            return f"text, and {self.prefill} log-probabilities at each token of any text"
        return f"text, and {self.replies} log-probabilities at each token of its replies" if self.replies else "text"


def compared(before: TeacherFindings, now: TeacherFindings) -> TeacherFindings:
    """`now`, with what it answers otherwise than `before` among its changes."""
    what = [f"{name} is {new or 'none'}, was {old or 'none'}" for name, old, new in _names(before, now) if old != new]
    former = {answer.prompt: answer for answer in before.answers if answer.steady}
    pairs = [(former[one.prompt], one) for one in now.answers if one.steady and one.prompt in former]
    others = [(old, new) for old, new in pairs if old.text != new.text]
    if others:
        old, new = others[0]
        shown = f"{old.prompt!r}: {old.text[:SHOWN]!r} -> {new.text[:SHOWN]!r}"
        what.append(f"{len(others)} of {len(pairs)} probes are answered otherwise, such as {shown}")
    replaced = before.served != now.served or (bool(others) and len(others) > REPLACED * len(pairs))
    change = (TeacherChange(at=now.asked, what=tuple(what), replaced=replaced),) if what else ()
    return now.model_copy(
        update={
            "changes": (*before.changes, *change)[-KEPT_CHANGES:],
            "since": now.asked if what and replaced else before.since,
        }
    )


def _names(before: TeacherFindings, now: TeacherFindings) -> tuple[tuple[str, str, str], ...]:
    return (
        ("the model's own name", before.served, now.served),
        ("system_fingerprint", before.fingerprint, now.fingerprint),
        ("what it gives", before.gives, now.gives),
    )


def read_findings(state: StateDir) -> TeacherFindings | None:
    """What was found last; None where nothing was."""
    with contextlib.suppress(OSError, ValidationError):
        return TeacherFindings.model_validate_json((state.registry / FILE).read_bytes())
    return None


def write_findings(state: StateDir, found: TeacherFindings) -> None:
    """Keep what was found."""
    write_json(state.registry / FILE, found.model_dump(mode="json"))
