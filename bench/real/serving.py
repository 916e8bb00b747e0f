"""What serving costs: each arm in an engine of its own, one after the other, asked by clients of this process."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from bench.real.prompts import RealPrompt
from deploy.engines.keys import control_key, engine_key
from deploy.registry.manifest import weight_hashes
from deploy.registry.store import Registry
from feedback.shadow.config import ShadowConfig
from serving.engine.config import EnginesConfig
from serving.engine.inside.layout import read_layout
from serving.engine.launch.runner import EngineRunner
from serving.engine.sizes import SERVED, engine_size, shape_of
from serving.up.report.asking import TOKENS, Asker, LoadedEngine
from serving.up.report.questions import ReportQuestion
from trials.system import free_ports
from understudy.config import Config
from understudy.state import StateDir

PROMPTS = 64
STREAMS = (1, 8, 16)
REQUESTS = {1: 6, 8: 24, 16: 32}
"""At so many streams; each reply has as many tokens as the report of `up` asks for."""
FIRST_TOKENS = 20
START_SECONDS, PATIENCE = 1200.0, 900.0
"""For an engine to start, and to answer, on a machine that does other work too."""
ARMS = ("teacher", "student")


def measure(
    state: StateDir,
    config: Config,
    versions: tuple[str, str],
    prompts: Sequence[RealPrompt],
    *,
    cores: int,
    quick: bool,
) -> dict[str, Any]:
    """Figures of both arms on so many cores, their ratios, and what a request costs by the student's share."""
    questions = [
        ReportQuestion(purpose="throughput", family="general", messages=tuple(dict(m) for m in one.messages))
        for one in prompts
    ]
    arms = {
        arm: asyncio.run(engine_of(state, config, version, questions, cores, quick))
        for arm, version in zip(ARMS, versions, strict=True)
    }
    copies = config.section(ShadowConfig)
    return {
        "quick": quick, "cores": cores, "reply_tokens": TOKENS, "arms": arms,
        "ratios": ratios(arms["teacher"], arms["student"]),
        "costs": costs(arms, copies.to_student, copies.to_teacher),
    }  # fmt: skip


async def engine_of(
    state: StateDir, config: Config, version: str, questions: Sequence[ReportQuestion], cores: int, quick: bool
) -> dict[str, Any]:
    """Start an engine of `version` on so many cores, ask it, and end it."""
    chosen = tuple(sorted(os.sched_getaffinity(0)))[:cores]
    port, *others = free_ports(3)
    engines = config.section(EnginesConfig).model_copy(update={
        "launcher": "plain", "cpus": {"teacher": chosen}, "start_deadline": START_SECONDS,
        "ports": {"teacher": port, "student-a": others[0], "student-b": others[1]},
    })  # fmt: skip
    registry = Registry(state)
    manifest = registry.verify(version)
    runner = EngineRunner(
        "teacher", engines, key=engine_key(state), control_key=control_key(state), state=state, fork_socket=None
    )
    began = time.monotonic()
    asker = Asker(engines.url("teacher"), PATIENCE)
    try:
        pid = await runner.start(version, registry.path(version), weight_hashes(manifest))
        await runner.control.open(version)
        started = time.monotonic() - began
        engine = LoadedEngine(engines.url("teacher"), "teacher", version, engine_key(state))
        await asker.throughput(engine, questions[:8])  # memory is touched, kernels are chosen
        found = await asked(asker, engine, pid, questions, quick)
        memory = await runner.memory() or 0
    finally:
        await asker.close()
        await runner.stop()
        await runner.end()
    return {"start_seconds": round(started, 1), **found, **memory_of(registry.path(version), engines, memory)}


async def asked(
    asker: Asker, engine: LoadedEngine, pid: int, questions: Sequence[ReportQuestion], quick: bool
) -> dict[str, Any]:
    """Time to the first token, and by number of streams: tokens in a second, and processor time of a reply."""
    count = 6 if quick else FIRST_TOKENS
    found: dict[str, Any] = {"ttft": round(await asker.first_token(engine, questions[:count]), 4), "streams": {}}
    for streams in STREAMS:
        requests = streams if quick else REQUESTS[streams]
        chosen = [questions[(streams + i) % len(questions)] for i in range(requests)]
        before, load = used(pid), os.getloadavg()[0]
        speed = await asker.throughput(engine, chosen, streams)
        found["streams"][str(streams)] = {
            "tokens_per_second": round(speed, 1),
            "core_seconds": round((used(pid) - before) / requests, 3),
            "load": round((load + os.getloadavg()[0]) / 2, 1),
        }
    return found


def used(pid: int) -> float:
    """Seconds of processor time that an engine and its processes have taken."""
    parent = psutil.Process(pid)
    times = [process.cpu_times() for process in (parent, *parent.children(recursive=True))]
    return sum(time.user + time.system for time in times)


def memory_of(folder: Path, engines: EnginesConfig, total: int) -> dict[str, Any]:
    """Bytes of an engine: of its weights, its key-value cache, and all else; `token` of the cache for one token."""
    shape = shape_of(folder)
    size = engine_size(shape, engines, forked=False)
    dtype = "float32" if engines.dtype == "auto" and engines.on_cpu else engines.dtype
    return {
        "memory": total, "weights": size.weights, "kv_cache": size.kv_cache, "token": size.token,
        "own": max(0, total - size.weights - size.kv_cache), "dtype": dtype if dtype in SERVED else "auto",
        "parameters": shape.weights, "read": read_of(folder),
    }  # fmt: skip


def read_of(folder: Path) -> int:
    """Numbers in the weights that a token reads: of embeddings with a head beside them it reads a row."""
    sizes = {name: math.prod(tensor.shape) for name, tensor in read_layout(folder).items()}
    apart = any(name.endswith("lm_head.weight") for name in sizes)
    rows = sum(size for name, size in sizes.items() if apart and name.endswith("embed_tokens.weight"))
    return sum(sizes.values()) - rows


def ratios(teacher: dict[str, Any], student: dict[str, Any]) -> dict[str, float]:
    """Student over teacher.

    `memory_without_engine`: weights, and a cache that holds as many tokens in both arms as the teacher's does.
    """
    tokens = teacher["kv_cache"] // teacher["token"]
    held = [arm["weights"] + tokens * arm["token"] for arm in (student, teacher)]
    found = {
        "ttft": student["ttft"] / teacher["ttft"],
        **{f"throughput_{n}": student["streams"][n]["tokens_per_second"] / row["tokens_per_second"]
           for n, row in teacher["streams"].items()},
        "memory": student["memory"] / teacher["memory"] if teacher["memory"] else 0.0,
        "memory_without_engine": held[0] / held[1],
        "weights": student["weights"] / teacher["weights"],
    }  # fmt: skip
    return {name: round(value, 4) for name, value in found.items()}


def costs(arms: dict[str, Any], to_student: float, to_teacher: float, streams: str = "8") -> list[dict[str, float]]:
    """Processor seconds of a request with the student answering 0, 50 and 90 % of them, alone and with its copies.

    Copies: `to_student` of what the teacher answered is asked of the student, too, and `to_teacher` the other way.
    """
    teacher, student = (arms[arm]["streams"][streams]["core_seconds"] for arm in ARMS)
    found = []
    for share in (0.0, 0.5, 0.9):
        alone = (1 - share) * teacher + share * student
        copies = (1 - share) * to_student * student + share * to_teacher * teacher
        found.append({
            "share": share, "core_seconds": round(alone, 3), "of_teacher": round(alone / teacher, 3),
            "with_copies": round((alone + copies) / teacher, 3),
        })  # fmt: skip
    return found
