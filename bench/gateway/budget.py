"""What one exchange costs by step: on the event loop, as differences of rates' rows, and beside it, each step alone.

The steps of the process that records are taken here one after the other by one thread, on texts of the benchmark, with
commits of as many events as come together under load.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bench.gateway.candidates.starting import ALL, BARE, UNGUARDED
from bench.gateway.record import BenchFigures
from bench.gateway.requests import bodies
from deploy.routing.document import SlotView
from feedback.events import Event, Exposure
from feedback.outbox.apart.frames import packed, unpacked
from feedback.outbox.spool import Entry, Spool
from feedback.privacy.redact import Redaction
from feedback.privacy.vault import Vault
from serving.gateway.record.assembling import assemble
from serving.gateway.record.raw import RawExchange, pack, unpack
from serving.gateway.routing import Ask, Decision, PartTaken
from serving.gateway.service import exposure_of
from understudy.ids import random_id

EXCHANGES = 400
ROUNDS = 3
"""The last is kept: the first ones meet everything for the first time."""
COMMITTED = 16
"""Events of a commit."""
REPLY = (
    b'{"id":"chatcmpl-0123456789","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"%s"},"finish_reason":"stop"}],"usage":{"prompt_tokens":90,"completion_tokens":40}}'
) % (b"It is on its way to you, and comes on Monday. " * 4)
STEPS = {
    "pack": "packed by the event loop", "unpack": "unpacked", "assemble": "assembled", "redact": "redacted",
    "seal": "sealed", "exposure": "exposure: made, sent, redacted, sealed", "commit": "committed, with its exposure",
}  # fmt: skip
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class StepCosts:
    """Microseconds of CPU an exchange, by step."""

    pack: float
    unpack: float
    assemble: float
    redact: float
    seal: float
    exposure: float
    commit: float


def costs(folder: Path) -> StepCosts:
    """Take each step for some hundred exchanges of 0.5 KB, every one of another user in an experiment."""
    redaction, vault = Redaction(random_id()), Vault(folder / "keys")
    spool = Spool(folder / f"budget-{random_id()}.db", 1 << 30)
    texts = list(itertools.islice(itertools.cycle(bodies(512, False)), EXCHANGES))
    took: dict[str, float] = {}

    def each(step: str, act: Callable[[T], R], items: Sequence[T]) -> list[R]:
        began = time.thread_time()
        done = [act(item) for item in items]
        took[step] = took.get(step, 0.0) + (time.thread_time() - began) / EXCHANGES * 1e6
        return done

    try:
        for number in range(ROUNDS):
            took.clear()
            raws = [_raw(number * EXCHANGES + n, text) for n, text in enumerate(texts)]
            copies = each("unpack", unpack, each("pack", pack, raws))
            events = each("redact", redaction.exchange, each("assemble", assemble, copies))
            sealed = each("seal", vault.seal, events)
            said = each("exposure", redaction.exposure, each("exposure", _exposure, raws))
            sealed += each("exposure", vault.seal, said)
            each("commit", spool.append, list(_commits([*events, *said], sealed)))
    finally:
        spool.close()
    return StepCosts(**took)


def _raw(number: int, body: bytes) -> RawExchange:
    name = f"{number:032x}"
    ask = Ask("auto", f"unit-{number}", name, f"unit-{number}")
    taken = (PartTaken("halves", 1, "student", 0.25, True),)
    decision = Decision("student", "v2", SlotView(), "student", f"unit-{number}", False, "halves", taken=taken)
    return RawExchange(name, True, body, ask, decision, 3, 200, "complete", (REPLY,), False, False, 1.0, 0.1, 0.2)


def _exposure(raw: RawExchange) -> Exposure:
    """As the process that records has it."""
    event = unpacked(packed(exposure_of(raw.decision.taken[0], raw.decision, raw.ask, raw.epoch)))
    assert isinstance(event, Exposure)
    return event


def _commits(events: Sequence[Event], values: Sequence[bytes]) -> Iterator[list[Entry]]:
    """Exchanges and exposures in turns, as they come."""
    entries = [
        Entry("budget", n % 4, one.session, value) for n, (one, value) in enumerate(zip(events, values, strict=True))
    ]
    mixed = [entry for pair in zip(entries[:EXCHANGES], entries[EXCHANGES:], strict=True) for entry in pair]
    for at in range(0, len(mixed), COMMITTED):
        yield mixed[at : at + COMMITTED]


def rows(report: BenchFigures, held: str) -> list[tuple[str, ...]]:
    """The budget of one exchange under the workload `held`: (step, microseconds); without rates the steps alone."""
    rates: dict[str, Any] = report["parts"].get("rates", {}).get(held, {})
    found = report["parts"].get("budget", {}).get("steps", {}).get(ALL)
    if found is None:
        return []
    if not all(name in rates and "failed" not in rates[name] for name in (BARE, UNGUARDED, ALL)):
        return [(told, _micros(found[step])) for step, told in STEPS.items()]
    bare, unguarded, everything = (rates[name]["cpu_loop"] for name in (BARE, UNGUARDED, ALL))
    beside = rates[ALL]["cpu_others"]
    steps = {told: found[step] for step, told in STEPS.items() if step != "pack"}
    return [
        ("event loop: bare", _micros(bare)),
        ("event loop: key, experiment, metrics, spans, the copy", _micros(unguarded - bare)),
        (f"&nbsp;&nbsp;of it {STEPS['pack']}", _micros(found["pack"])),
        ("event loop: the guard", _micros(everything - unguarded)),
        *((f"beside it: {told}", _micros(value)) for told, value in steps.items()),
        ("beside it: the bus, the pipe, threads that wait for each other", _micros(beside - sum(steps.values()))),
        ("in all", _micros(everything + beside)),
    ]


def _micros(value: float) -> str:
    return f"{value:.0f}"
