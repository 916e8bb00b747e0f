"""The report of `understudy up --until-swap`: measures the system that is still up, and writes the JSON.

Run by `up` in a process of its own, with the traffic and the trainer stopped. Only measured values.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import redis

from deploy.engines.keys import engine_key, known_own_key
from deploy.registry.store import notes_of
from deploy.rounds.store import FileRounds
from deploy.routing.document import RoutingDocument
from deploy.routing.stores import Routing, open_routing
from feedback.events import HARD_KINDS
from feedback.pool.store import Pool
from feedback.store.config import RedisConfig
from serving.up.machine import machine
from serving.up.report.asking import Asker, LoadedEngine, over
from serving.up.report.demands import states_all
from serving.up.report.figures import (
    Span,
    agreement,
    by_part,
    facts,
    from_one_version,
    gaps,
    overlaps,
    prefix,
    windows,
)
from serving.up.report.questions import FAMILIES, Questions, read_questions
from understudy.config import Config, load_config
from understudy.errors import UnderstudyError
from understudy.files import read_json, write_json
from understudy.state import StateDir

CHECKED = 80
"""Replies of the student during a swap that are asked again, at most."""
LOADED_SECONDS = 60
"""For which an engine is waited for that has shown no sign of life."""
Rows = list[dict[str, Any]]


async def build(state: StateDir, config: Config, given: dict[str, Any], questions: Questions) -> dict[str, Any]:
    """Measure everything.

    Raises:
        UnderstudyError: a version that is needed is not loaded.
    """
    rows = list(read_rows(state))
    routing = open_routing(state, config.section(RedisConfig).url, config.section(RedisConfig).prefix)
    documents = list(read_documents(state))
    asker = Asker(str(read_json(state.addresses)["gateway"]), key=known_own_key(state))
    try:
        engines = await all_loaded(state, routing, ("teacher", given["before"], given["after"]))
        judged = await compare(asker, engines, questions)
        ratios = await against_teacher(asker, engines[0], engines[2], questions, memory(routing))
        spans = windows(documents, min((row["t"] for row in rows), default=0.0))
        mixed = await mixed_versions(asker, rows, spans, {engine.version for engine in engines})
    finally:
        await asker.close()
    return compose(state, config, given, rows, documents, spans, judged, ratios, mixed)


def compose(
    state: StateDir, config: Config, given: dict[str, Any], rows: Rows, documents: Sequence[RoutingDocument],
    spans: Sequence[Span], judged: dict[str, Any], ratios: dict[str, float], mixed: dict[str, int],
) -> dict[str, Any]:  # fmt: skip
    """The report from everything that was measured; `notes` is what must stand beside figures of a version."""
    requests = {
        "sent": len(rows),
        "failed": sum(not row["ok"] for row in rows),
        "truncated": sum(row["truncated"] for row in rows),
        "mixed_version": sum(row["mixed"] for row in rows) + mixed["mixed"],
    }
    live_at = min((d.created for d in documents if d.stable == given["after"]), default=given["live_at"])
    drifted = min((row["t"] for row in rows if row["family"] == "drift"), default=live_at)
    stages, canary = round_of(state, given["after"])
    compared = {given["before"], given["after"], *(document.teacher for document in documents)}
    return {
        "ok": requests["sent"] > 0 and not any(requests[k] for k in ("failed", "truncated", "mixed_version")),
        "machine": machine(),
        "versions": {"before": given["before"], "after": given["after"]},
        "notes": notes_of(state, compared),
        "seconds": {
            "ready": round(given["ready"], 2), "drift_to_live": round(live_at - drifted, 2), "stages": stages,
            "whole_up_to_live": round(live_at - given["started"], 2),
        },
        "requests": {**requests, "asked_again": mixed["asked"]},
        "swap": gaps(rows, spans),
        "hard": hard(config.section(RedisConfig)),
        **judged,
        "canary": canary,
        "student_vs_teacher": ratios,
    }  # fmt: skip


async def compare(asker: Asker, engines: Sequence[LoadedEngine], questions: Questions) -> dict[str, Any]:
    """Agreement, also by part, prefix and facts of both versions on the held-out prompts of each family."""
    _, before, after = engines
    found: dict[str, Any] = {"agreement": {}, "prefix": {}, "facts": {}, "parts": {}, "prompts": {}}
    for family in FAMILIES:
        asked = questions.of("judged", family)
        teacher = await over(asked, lambda one: asker.greedy("teacher", one.messages))
        old, new = await asyncio.gather(asker.judged(before, asked, teacher), asker.judged(after, asked, teacher))
        for name, figure in (("agreement", agreement), ("prefix", prefix)):
            found[name][family] = {"before": round(figure(old), 4), "after": round(figure(new), 4)}
        right = [states_all(said.text, one.facts) for one, said in zip(asked, teacher, strict=True)]
        shares = {"before": facts(old), "after": facts(new), "teacher": sum(right) / len(right)}
        known = any(one.facts for one in asked)  # questions without facts have nothing to be right in
        found["facts"][family] = {who: round(share, 4) if known else None for who, share in shares.items()}
        found["parts"][family] = by_part(old, new)
        found["prompts"][family] = len(asked)
    return found


async def against_teacher(
    asker: Asker, teacher: LoadedEngine, student: LoadedEngine, questions: Questions, memory: dict[str, int]
) -> dict[str, float]:
    """Ratios student/teacher, each engine alone on this machine."""
    first, load = questions.of("first_token"), questions.of("throughput")
    figures = {}
    for name, engine in (("teacher", teacher), ("student", student)):
        figures[name] = (await asker.first_token(engine, first), await asker.throughput(engine, load))
    (slow, few), (fast, many) = figures["teacher"], figures["student"]
    sizes = (memory.get(student.version, 0), memory.get(teacher.version, 0))
    return {
        "ttft": round(fast / slow, 4), "throughput": round(many / few, 4),
        "memory": round(sizes[0] / sizes[1], 4) if all(sizes) else 0.0,
        "teacher_ttft_seconds": round(slow, 4), "student_ttft_seconds": round(fast, 4),
        "teacher_tokens_per_second": round(few, 1), "student_tokens_per_second": round(many, 1),
    }  # fmt: skip


async def mixed_versions(asker: Asker, rows: Rows, spans: Sequence[Span], loaded: set[str]) -> dict[str, int]:
    """Ask again what the student answered during a swap: a reply must be wholly that of its version."""
    chosen = [
        row for row in rows
        if row["ok"] and row["arm"] == "student" and row["version"] in loaded and overlaps(row, spans)
    ][-CHECKED:]  # fmt: skip

    async def pure(row: dict[str, Any]) -> bool:
        answer = await asker.chat(f"student:{row['version']}", row["messages"], logprobs=True, top_logprobs=5)
        tokens = answer["choices"][0]["logprobs"]["content"]
        return from_one_version(row["reply"], [t for t in tokens if not t["token"].startswith("<|")])

    kept = await over(chosen, pure)
    return {"asked": len(chosen), "mixed": sum(not one for one in kept)}


async def all_loaded(state: StateDir, routing: Routing, names: Sequence[str]) -> list[LoadedEngine]:
    """`loaded`, waited for: on a busy machine the sign of life of an engine may be late."""
    for _ in range(LOADED_SECONDS):
        with contextlib.suppress(UnderstudyError):
            return loaded(state, routing, names)
        await asyncio.sleep(1)
    return loaded(state, routing, names)


def loaded(state: StateDir, routing: Routing, names: Sequence[str]) -> list[LoadedEngine]:
    """The engines that hold the teacher and the named students.

    Raises:
        UnderstudyError: one of them is not loaded.
    """
    document, beats = routing.documents.read(), routing.beats.slots()
    key = engine_key(state)
    found = []
    for name in names:
        wanted = document.teacher if document is not None and name == "teacher" else name
        beat = next((b for b in beats.values() if b.version == wanted and b.ready), None)
        if beat is None:
            raise UnderstudyError(f"no engine holds {wanted} now, so it cannot be compared")
        found.append(LoadedEngine(beat.url, beat.model, str(beat.version), key))
    return found


def memory(routing: Routing) -> dict[str, int]:
    """Bytes of each engine by its version."""
    return {str(b.version): b.memory_bytes or 0 for b in routing.beats.slots().values()}


def hard(config: RedisConfig) -> dict[str, Any]:
    """Size of the hard pool and its samples by kind."""
    pool = Pool(redis.Redis.from_url(config.url, socket_timeout=5), config.prefix)
    counts = pool.counts_by_kind()
    return {"total": pool.size(), "by_kind": {kind: counts.get(kind, 0) for kind in HARD_KINDS}}


def round_of(state: StateDir, version: str) -> tuple[dict[str, float], dict[str, Any]]:
    """Seconds of each stage of the round that made `version`, and how its canary went."""
    made = next((r for r in FileRounds(state).all() if r.candidate == version), None)
    if made is None:
        return {}, {"steps": [], "decided_by": ""}
    canary = made.stages["canary"].summary if "canary" in made.stages else {}
    shown = {"steps": canary.get("steps", []), "decided_by": canary.get("decided_by", "")}
    return {name: round(record.seconds, 2) for name, record in made.stages.items()}, shown


def read_rows(state: StateDir) -> Iterator[dict[str, Any]]:
    """What the application saw in this run."""
    path = state.run / "traffic.jsonl"
    if path.exists():
        for line in path.read_text("utf-8").splitlines():
            yield json.loads(line)


def read_documents(state: StateDir) -> Iterator[RoutingDocument]:
    """Every routing document that was written."""
    for path in state.routing.glob("epoch-*.json"):
        yield RoutingDocument.model_validate_json(path.read_bytes())


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--state", "--config", "--facts", "--questions", "--out"):
        parser.add_argument(name, type=Path, required=True)
    options = parser.parse_args(argv)
    state = StateDir(options.state)
    try:
        questions = read_questions(options.questions)
        report = asyncio.run(build(state, load_config(options.config), read_json(options.facts), questions))
    except UnderstudyError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    write_json(options.out, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
