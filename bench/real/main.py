"""`understudy bench real`: a real teacher and a cut of it, on dialogues that neither saw in this role.

Learning: rounds as the product has them, without engines. The teacher answers the customers of --train; every exchange
is one that an unfit student failed. Scoring and training count, the replies of the teacher do not: traffic brings
them. A candidate that the product finds better, or fit, is the next parent. Judged on --judge, whose dialogues no round
sees, and on general instructions, which are never learned.

Serving: each arm in an engine of its own, one after the other, with nothing else of this program running.

Without --teacher the model is SmolLM2-135M-Instruct, see examples/smollm2. Records are kept by setting: a run that was
stopped goes on where it was, given the same --state and --json.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.options import folder_of
from bench.real import models_of, serving
from bench.real.course import CLOCKS, ROUND_MINUTES, ClockedConfig, Course, Lesson, budget
from bench.real.exam import RealExam
from bench.real.outline import outline
from bench.real.prompts import INSTRUCTIONS, apart, drawn, instructions, of_dialogues
from bench.real.replies import KeptReplies
from bench.real.telling import show
from deploy.life.config import GateConfig
from deploy.registry.store import Registry
from online_distill import models
from online_distill.data.encoding import Encoder
from online_distill.role.config import TrainerConfig
from serving.engine.config import EnginesConfig
from serving.up.machine import machine
from trials.shared_data import data_folder
from trials.system import ROOT
from understudy.config import Config, load_config
from understudy.files import read_json, write_json
from understudy.state import StateDir

EXAMPLE = ROOT / "examples" / "smollm2"
SETTING = ("layers", "teacher", "train", "judge", "clock", "prompts", "judged", "longest", "round_minutes")
"""What makes a record another one."""


def measure(options: argparse.Namespace, state: StateDir) -> dict[str, Any]:
    """Take the record of this setting as far as `options.minutes`, written to `options.json` after each row."""
    config = load_config(options.config)
    teacher, student = models_of.prepared(state, options.teacher, options.layers, config.section(EnginesConfig))
    record = found(options)
    record |= {"machine": machine(), "note": Registry(state).manifest(teacher).note}
    if options.half != "serving":
        learn(options, state, config, record, (teacher, student))
    if options.half != "learning":
        encoder = Encoder(Registry(state).path(teacher))
        asked = drawn(of_dialogues(options.judge, encoder, options.longest, say), serving.PROMPTS, "serving")
        record["serving"] = serving.measure(
            state, config, (teacher, student), asked, cores=options.threads, quick=options.quick
        )
    kept(options, record)
    return record


def learn(
    options: argparse.Namespace, state: StateDir, config: Config, record: dict[str, Any], versions: tuple[str, str]
) -> None:
    """The rows of the course that are not there yet."""
    rows = record["rows"]
    if rows and not budget(rows[-1]["minutes"], options.minutes):
        return
    settings = config.section(TrainerConfig).model_dump(exclude={"threads"})
    trainer = ClockedConfig(**settings, threads=options.threads, clock=options.clock)
    models.prepare(trainer.threads)
    registry = Registry(state)
    encoder = Encoder(registry.path(versions[0]))
    replies = KeptReplies(state.root.parent / "replies.jsonl", registry.path(versions[0]), encoder)
    judge = of_dialogues(options.judge, encoder, options.longest, say)
    given = of_dialogues(options.train, encoder, options.longest, say)
    train = apart(given, judge)
    if len(train) < len(given):
        left_out = f"{len(given) - len(train)} of {len(given)} prompts of --train are left out"
        say(f"{left_out}: --judge has their dialogue or words")
    if not instructions(encoder, options.longest):
        say(f"no general slice: {data_folder()} holds no {INSTRUCTIONS}; UNDERSTUDY_DATA names the folder that does")
    slices = {
        "dialogues": drawn(judge, options.judged, "judged"),
        "general": drawn(instructions(encoder, options.longest), options.judged, "judged"),
    }
    lesson = Lesson(drawn(train, len(train), "traffic"), options.prompts, replies)
    exam = RealExam(encoder, slices, replies)
    course = Course(state, versions[1], trainer, config.section(GateConfig), lesson, exam)
    record |= {"train_prompts": len(train), "threads": options.threads}
    if not rows:
        taken(options, record, course.start)
    while minutes := budget(rows[-1]["minutes"], options.minutes, options.round_minutes):
        taken(options, record, partial(course.round, rows[-1], minutes, options.minutes))


def taken(options: argparse.Namespace, record: dict[str, Any], take: Callable[[], dict[str, Any]]) -> None:
    """Take the next row, with the load of the machine meanwhile, and keep it."""
    load = os.getloadavg()[0]
    row = take()
    record["rows"].append({**row, "load": round((load + os.getloadavg()[0]) / 2, 1), "threads": options.threads})
    report(record)
    kept(options, record)


def say(text: str) -> None:
    """A remark on standard error."""
    Console(stderr=True).print(text, highlight=False, markup=False, soft_wrap=True)


def report(record: dict[str, Any]) -> None:
    """One line as soon as a row is known."""
    row = record["rows"][-1]
    marks = "  ".join(
        f"{name} {mark['agreement']:.3f} ({mark['low']:.3f} to {mark['high']:.3f}), exact {mark['exact']:.3f}"
        for name, mark in row.get("marks", {}).items()
    )
    Console(stderr=True).print(f"{row['minutes']:g} min, {row['live']}: {marks or row.get('did', '')}", highlight=False)


def found(options: argparse.Namespace) -> dict[str, Any]:
    """The record of this setting: the one that is kept, else a new one."""
    new = {**setting(options), "rows": [], "serving": None}
    return next((one for one in records(options.json) if same(one, new)), new)


def setting(options: argparse.Namespace) -> dict[str, Any]:
    """What tells records apart; files by their content, so that they may move."""
    return {
        "layers": options.layers, "teacher": options.teacher.name if options.teacher else "SmolLM2-135M-Instruct",
        "train": file_name(options.train), "judge": file_name(options.judge), "clock": options.clock,
        "prompts": options.prompts, "judged": options.judged, "longest": options.longest,
        "round_minutes": options.round_minutes,
    }  # fmt: skip


def file_name(path: Path) -> str:
    """Name and content of a file."""
    return f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


def records(book: Path | None) -> list[dict[str, Any]]:
    """Those of a file."""
    read = read_json(book) if book and book.is_file() else {}
    return list(read.get("records", []))


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two records are of one setting."""
    return all(one[key] == other[key] for key in SETTING)


def kept(options: argparse.Namespace, record: dict[str, Any]) -> None:
    """Write the record beside the others of its file, under what it comes to."""
    if options.json:
        others = [one for one in records(options.json) if not same(one, record)]
        write_json(options.json, {"schema_version": 1, **outline(record), "records": [*others, record]})


def parsed(argv: list[str]) -> argparse.Namespace:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        prog="understudy bench real",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: understudy bench real --train mine.jsonl --judge others.jsonl --minutes 60 --state real",
    )
    parser.add_argument("--train", type=Path, default=EXAMPLE / "dialogues.jsonl", help="dialogues of the traffic")
    parser.add_argument("--judge", type=Path, default=EXAMPLE / "judge.jsonl", help="dialogues that are judged")
    parser.add_argument(
        "--minutes", type=float, default=60.0, help="of rounds; judged after 5, 15, 30 and all of them (%(default)s)"
    )
    parser.add_argument("--round-minutes", type=float, default=ROUND_MINUTES, help="of a round (%(default)s)")
    parser.add_argument("--layers", type=int, default=8, help="that the student keeps (%(default)s)")
    parser.add_argument("--teacher", type=Path, help="folder or .gguf of another teacher")
    parser.add_argument("--half", choices=("both", "learning", "serving"), default="both")
    parser.add_argument(
        "--clock", choices=sorted(CLOCKS), default="wall",
        help="wall, or processor: minutes that all threads together had of a core, whatever else ran (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=int, default=len(os.sched_getaffinity(0)), help="of training, cores of engines (%(default)s)"
    )
    parser.add_argument("--prompts", type=int, default=400, help="turns of customers before each round (%(default)s)")
    parser.add_argument("--judged", type=int, default=150, help="prompts of each slice that are judged (%(default)s)")
    parser.add_argument("--longest", type=int, default=192, help="tokens of a prompt at most (%(default)s)")
    parser.add_argument("--config", type=Path, default=EXAMPLE / "understudy.yaml", help="settings (%(default)s)")
    parser.add_argument("--state", type=Path, help="folder to keep, so that a stopped run goes on (default: none)")
    parser.add_argument("--quick", action="store_true", help="one round of a minute, few prompts, few requests")
    parser.add_argument("--json", type=Path, help="the records: those that are there are kept and gone on with")
    options = parser.parse_args(argv)
    if min(options.minutes, options.round_minutes) <= 0:
        parser.error("--minutes and --round-minutes: give more than 0")
    if options.quick:
        options.minutes, options.prompts, options.judged = 1.0, 60, 24
    return options


def main(argv: list[str]) -> int:
    """Entry point."""
    options = parsed(argv)
    with folder_of(options.state, "real") as root:
        record = measure(options, StateDir(root / f"layers-{options.layers}"))
    show(record)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
