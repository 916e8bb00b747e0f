"""Swaps and rollbacks under streams and short requests, each reply judged word for word.

Every cycle promotes a version that is not loaded (verify, load in place, fingerprint, new epoch) and
then rolls back (the former version is still loaded: one epoch). A reply must be, word for word, the
greedy reply of one version, the one its header names; the three versions differ in their weights.
The quiet time that the gaps are compared with is shorter than the swaps take, and a longer time sees a longer
longest gap: the difference errs against the swap.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
from rich.console import Console
from rich.progress import track

from deploy.engines.fingerprint import FINGERPRINT_FILE
from deploy.registry.store import Registry
from trials.streams import Load, Observed, keep_streaming, stream_once
from trials.system import System
from trials.variant import make_variant
from understudy.state import StateDir

PROMPTS = [
    "Where is my order?", "I want to return my headphones.", "How much is the total?",
    "我的订单什么时候到？", "我想退货，可以吗？", "Can I change my delivery address?",
    "What does the warranty cover?", "请问发票怎么开？",
]  # fmt: skip

LONG, SHORT = 48, 4
"""Tokens of the replies that are streamed without pause, and of those with one."""
References = dict[tuple[str, int], list[str]]
"""(version, tokens asked for) -> its greedy reply to each prompt."""


async def measure(system: System, swaps: int, streams: int, quiet_seconds: float | None = None) -> dict[str, Any]:
    """Reference replies, a quiet period, then the swaps; the result as in interface.md.

    `quiet_seconds`: of the period; by default a second a swap, 15 at least and 60 at most.
    """
    for what in ("learning", "promotion"):  # a round that went live meanwhile would be a version nobody asked for
        await asyncio.to_thread(system.post, "/freeze", {"what": what})
    try:
        versions = await asyncio.to_thread(add_variants, system)
        # The variants join the ring by being loaded once; then each has been asked for its replies.
        reference = await references(system, versions)
        quiet = Load()
        quiet_seconds = max(15.0, min(60.0, swaps * 1.0)) if quiet_seconds is None else quiet_seconds
        await under_load(system, quiet, streams, asyncio.sleep(quiet_seconds))
        busy = Load()
        timings: dict[str, list[float]] = {"swap": [], "rollback": [], "follow": []}
        before = memory(system)
        await under_load(system, busy, streams, turn(system, versions, swaps, timings))
    finally:
        await asyncio.to_thread(system.post, "/resume", {"what": "learning"})
    told_apart = {"prompts": len(PROMPTS), "told_apart": distinct(reference)}
    return {**summarise(busy, quiet, reference, timings, before, memory(system)), "reference": told_apart}


def add_variants(system: System) -> list[str]:
    """The live version and two variants of it, so that a swap always has one to load that no slot holds."""
    from online_distill.evaluate.fingerprint import record  # loads torch

    registry = Registry(StateDir(system.state))
    live = system.status().live.student
    assert live is not None, "a system that is ready has a student"
    names = [live]
    for seed in (3, 4):
        with tempfile.TemporaryDirectory(prefix="understudy-variant-") as scratch:
            variant = make_variant(registry.path(live), Path(scratch) / "model", seed)
            record(variant, registry.path(live), variant / FINGERPRINT_FILE)
            manifest = registry.register(
                variant, kind="student", parent=live, teacher=None, round=None, lineage={"variant_of": live}, metrics={}
            )
        names.append(manifest.version)
    return names


async def references(system: System, versions: list[str]) -> References:
    """The greedy reply of each version to each prompt, asked alone.

    Raises:
        RuntimeError: a version did not answer, or two of them answer alike, so that a mix could not be seen.
    """
    found: References = {}
    for version in versions:
        if system.status().live.student != version:
            await asyncio.to_thread(system.promote, version)
        async with httpx.AsyncClient(base_url=system.gateway, timeout=60) as client:
            for tokens in (LONG, SHORT):
                seen = [await stream_once(client, "student", PROMPTS, i, tokens) for i in range(len(PROMPTS))]
                if any(s.error or s.version != version for s in seen):
                    raise RuntimeError(f"no reference replies of {version}: {[s.error or s.version for s in seen]}")
                found[version, tokens] = [s.text for s in seen]
    if distinct(found) < len(PROMPTS) // 2:
        raise RuntimeError("two versions give the same replies to most prompts, so a mix could not be seen")
    return found


def distinct(reference: References) -> int:
    """Prompts whose long replies tell the two most similar versions apart."""
    replies = [texts for (_, tokens), texts in reference.items() if tokens == LONG]
    return min(
        (sum(x != y for x, y in zip(one, other, strict=True)) for one, other in itertools.combinations(replies, 2)),
        default=0,
    )


async def under_load(system: System, load: Load, streams: int, work: Any) -> None:
    """Run `work` while `streams` long and two short clients go on, and let them finish their requests."""
    clients = [
        asyncio.create_task(keep_streaming(load, system.gateway, "student", PROMPTS, i, LONG)) for i in range(streams)
    ]
    clients += [
        asyncio.create_task(keep_streaming(load, system.gateway, "student", PROMPTS, i, SHORT, 0.05)) for i in range(2)
    ]
    try:
        await work
    finally:
        load.stop.set()
        await asyncio.gather(*clients)


async def turn(system: System, versions: list[str], swaps: int, timings: dict[str, list[float]]) -> None:
    """Promote the version that no slot holds, roll back, and so on round the ring."""
    for _ in track(range(swaps), description="swaps and rollbacks", console=Console(stderr=True)):
        status = await asyncio.to_thread(system.status)
        loaded = {slot.version for slot in status.slots.values()}
        target = next((v for v in versions if v not in loaded), None)
        if target is None:
            target = next(v for v in versions if v != status.live.student)
        for name, move in (("swap", partial(system.promote, target)), ("rollback", system.roll_back)):
            start = time.monotonic()
            done = await asyncio.to_thread(move)
            timings[name].append(time.monotonic() - start)
            timings["follow"].append(done.follow_seconds)


def memory(system: System) -> int:
    """Proportional set size of `up` and all its children, in bytes."""
    total = 0
    for process in [psutil.Process(system.process.pid), *psutil.Process(system.process.pid).children(True)]:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total


def summarise(
    busy: Load,
    quiet: Load,
    reference: References,
    timings: dict[str, list[float]],
    before: int,
    after: int,
) -> dict[str, Any]:
    """Counts and percentiles; gaps in seconds."""

    def gaps(load: Load) -> dict[str, float]:
        values = sorted(s.gap for s in load.seen if not s.error)
        return {"p50": _at(values, 0.5), "p99": _at(values, 0.99), "longest": values[-1] if values else 0.0}

    with_swaps, without = gaps(busy), gaps(quiet)
    return {
        "requests": len(busy.seen),
        "failed": sum(bool(s.error) for s in busy.seen),
        "truncated": sum(not s.error and not s.finished for s in busy.seen),
        "mixed_version": sum(mixed(s, reference) for s in busy.seen),
        "errors": sorted({s.error for s in busy.seen if s.error})[:5],
        "gap": {"with": with_swaps, "without": without,
                "difference": with_swaps["longest"] - without["longest"]},
        "seconds": {n: {"p50": _at(sorted(v), 0.5), "p99": _at(sorted(v), 0.99)} for n, v in timings.items()},
        "swaps": len(timings["swap"]), "rollbacks": len(timings["rollback"]),
        "memory": {"before": before, "after": after},
    }  # fmt: skip


def mixed(seen: Observed, reference: References) -> bool:
    """Whether a whole reply is not, word for word, what the version in its header says to that prompt."""
    if seen.error or not seen.finished:
        return False
    expected = reference.get((seen.version, seen.max_tokens))
    return expected is None or expected[seen.prompt] != seen.text


def _at(ordered: list[float], share: float) -> float:
    if not ordered:
        return 0.0
    if len(ordered) == 1:
        return ordered[0]
    return statistics.quantiles(ordered, n=1000, method="inclusive")[max(0, round(share * 1000) - 1)]
