"""Whether an engine serves what the version says: log-probabilities of recorded probes, compared."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from understudy.errors import IntegrityError
from understudy.files import write_json

FINGERPRINT_FILE = "fingerprint.json"
"""Its name in a version folder."""
AskLogprobs = Callable[[Sequence[int]], Awaitable[list[float]]]
"""Gives the log-probabilities (nats) of a prompt's own tokens at positions 1..n-1."""


class FingerprintMismatch(IntegrityError):
    """The engine's probabilities are not those that were recorded."""

    code = "fingerprint"


class _Recorded(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Probe(_Recorded):
    """A prompt of n token ids and the n-1 log-probabilities of its tokens after the first."""

    prompt: tuple[int, ...] = Field(min_length=2)
    logprobs: tuple[float, ...]


class Fingerprint(_Recorded):
    """Recorded by whoever made the version."""

    schema_version: Literal[1] = 1
    tolerance: float = Field(default=0.02, gt=0)
    """Nats."""
    separation: float | None = None
    """Tolerances by which the parent's weights miss each probe, or more; None: there was no parent."""
    probes: tuple[Probe, ...] = Field(min_length=1)


def read_fingerprint(folder: Path) -> Fingerprint:
    """The fingerprint of a version folder.

    Raises:
        FingerprintMismatch: there is none, or it cannot be read.
    """
    try:
        return Fingerprint.model_validate_json((folder / FINGERPRINT_FILE).read_bytes())
    except OSError as error:
        raise FingerprintMismatch(
            f"{folder.name} has no readable {FINGERPRINT_FILE} ({error.strerror}): record one"
        ) from None
    except ValidationError as error:
        raise FingerprintMismatch(f"{folder.name}/{FINGERPRINT_FILE} is wrong: {error.errors()[0]['msg']}") from None


def write_fingerprint(path: Path, fingerprint: Fingerprint) -> None:
    """Write it to the file `path`."""
    write_json(path, fingerprint.model_dump(mode="json"))


def difference(recorded: Sequence[float], measured: Sequence[float]) -> float:
    """Largest absolute difference in nats; infinite where lengths differ, a value is no number or there is none."""
    if len(recorded) != len(measured) or not all(map(math.isfinite, (*recorded, *measured))):
        return math.inf
    return max((abs(a - b) for a, b in zip(recorded, measured, strict=True)), default=math.inf)


async def check(fingerprint: Fingerprint, ask: AskLogprobs) -> float:
    """The largest difference over all probes, in nats.

    Raises:
        FingerprintMismatch: it is above the tolerance.
    """
    worst = 0.0
    for probe in fingerprint.probes:
        worst = max(worst, difference(probe.logprobs, await ask(probe.prompt)))
    if not worst <= fingerprint.tolerance:
        raise FingerprintMismatch(
            f"the engine's probabilities differ by {worst:.3g} nats, more than {fingerprint.tolerance:g}: "
            "it does not serve the weights of this version"
        )
    return worst
