"""Train the demo world's tokenizer, teacher and student: `python -m demo.training.train --out demo`.

Teacher and student train side by side, one core each. Progress is kept in the work folder: a run that was
killed continues where it stopped when the same command is given again.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import PreTrainedTokenizerFast

from demo import world
from demo.training import corpus, tokenizer
from demo.training.learner import DemoLearner
from demo.training.model import Size, export
from demo.training.rows import Mix
from understudy.errors import UnderstudyError

WORK = corpus.ROOT / ".demo-train"
EVALUATE_SECONDS, SAVE_SECONDS = 480.0, 90.0
V1_AT_LEAST = 0.75  # the student's first version is the first checkpoint that passes this share of fact checks


class TrainingFailed(UnderstudyError):
    """The models are not good enough to be published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one model is trained: steps of 16 rows of 256 tokens, and what the rows hold."""

    steps: int
    rate: float
    mix: Mix


PLANS: dict[Size, Plan] = {
    "teacher": Plan(steps=4000, rate=3e-3, mix=Mix(seed=11, roles=frozenset({"both", "teacher_only"}), drift=0.1)),
    "student": Plan(steps=3600, rate=4e-3, mix=Mix(seed=12, roles=frozenset({"both"}))),
}


def make_tokenizer(folder: Path) -> None:
    """Learn the tokenizer once: half English, half Chinese by tokens' worth of text, dialogues of the student."""
    if (folder / "tokenizer.json").is_file():
        return
    texts: list[str] = []
    for family in ("general", "drift"):
        for drawn in world.stream(5, "train", family, 6000 if family == "general" else 1000):
            texts += [*(m["content"] for m in drawn.messages), drawn.reply]
    spent = {"en": 1_600_000, "zh": 600_000}  # characters of real dialogue; one Chinese character is three bytes
    found = list(corpus.dialogues(frozenset({"both"})))
    random.Random(5).shuffle(found)
    for dialogue in found:
        if spent[dialogue.lang] > 0:
            texts += [m["content"] for m in dialogue.messages]
            spent[dialogue.lang] -= sum(len(m["content"]) for m in dialogue.messages)
    tokenizer.train(iter(texts)).save_pretrained(folder)


def log(work: Path, name: str, record: dict[str, object]) -> None:
    """Append one line to the model's training log."""
    with (work / f"{name}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"time": round(time.time()), **record}, ensure_ascii=False) + "\n")


def first_version(work: Path, learner: DemoLearner, words: PreTrainedTokenizerFast, rate: float) -> None:
    """Keep the student's earlier version when it is good enough and none was kept before."""
    folder = work / "export" / "student-v1"
    if learner.size == "student" and rate >= V1_AT_LEAST and not (folder / "model.safetensors").exists():
        export(learner.exportable(), words, folder)


def fit(size: Size, plan: Plan, work: Path, words: PreTrainedTokenizerFast) -> None:
    """Train one model to the end of its plan and export it to the work folder."""
    learner = DemoLearner(size, words, plan.rate, plan.mix, work / f"{size}.pt")
    last_save = last_look = time.monotonic()
    columns = (TextColumn(size), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(size, total=plan.steps, completed=learner.step, note="")
        while learner.step < plan.steps:
            loss, pace = learner.advance(plan.steps)
            bar.update(task, completed=learner.step, note=f"loss {loss:.3f}, {pace:.0f} tok/s")
            now = time.monotonic()
            if learner.step % 50 == 0:
                log(work, size, {"step": learner.step, "loss": round(loss, 4), "tokens_per_s": round(pace)})
            if now - last_save > SAVE_SECONDS:
                learner.save()
                last_save = now
            if now - last_look > EVALUATE_SECONDS:
                look(size, learner, work, words)
                last_look = time.monotonic()
    learner.save()
    look(size, learner, work, words)


def look(size: Size, learner: DemoLearner, work: Path, words: PreTrainedTokenizerFast) -> None:
    """Evaluate the checkpoint on a small sample, log it and export it."""
    rates = learner.evaluate(100)
    log(work, size, {"step": learner.step, "rates": rates})
    first_version(work, learner, words, rates["general"]["all"])
    export(learner.exportable(), words, work / "export" / size)


def both(arguments: list[str]) -> int:
    """Train teacher and student side by side; the first failure is the exit code."""
    command = [sys.executable, "-m", "demo.training.train", *arguments]
    running = [subprocess.Popen([*command, "--only", size]) for size in PLANS]
    return max(process.wait() for process in running)


def publish(work: Path, out: Path) -> None:
    """Copy the finished exports to `out`: the teacher, and the student's two versions."""
    students = out / "registry" / "students"
    if not (work / "export" / "student-v1").is_dir():
        raise TrainingFailed(
            f"no student checkpoint passed {V1_AT_LEAST:.0%} of its fact checks: see {work}/student.jsonl"
        )
    for name, folder in (
        ("teacher", out / "models" / "teacher"),
        ("student-v1", students / "v1"),
        ("student", students / "v2"),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted((work / "export" / name).iterdir()):
            fresh = folder / f".{file.name}.new"
            fresh.write_bytes(file.read_bytes())
            os.replace(fresh, folder / file.name)  # an engine may have the old file mapped


def main() -> int:
    """Entry point; see the module's text."""
    parser = argparse.ArgumentParser(prog="python -m demo.training.train", description=__doc__)
    parser.add_argument("--out", type=Path, default=corpus.ROOT / "demo", help="folder that gets models/ and registry/")
    parser.add_argument("--work", type=Path, default=WORK, help="folder for checkpoints, logs and exports")
    parser.add_argument("--only", choices=tuple(PLANS), help="train this model alone and publish nothing")
    parser.add_argument("--steps", type=int, help="steps instead of the plan's; a resumed run may change it")
    parser.add_argument("--quick", action="store_true", help="60 steps each: proves the path, not the quality")
    arguments = parser.parse_args()
    steps = 60 if arguments.quick else arguments.steps
    make_tokenizer(arguments.work / "tokenizer")
    if arguments.only:
        plan = PLANS[arguments.only]
        (arguments.work / f"{arguments.only}.plan.json").write_text(json.dumps(asdict(plan), default=sorted))
        fit(
            arguments.only,
            Plan(steps=steps or plan.steps, rate=plan.rate, mix=plan.mix),
            arguments.work,
            tokenizer.load(arguments.work / "tokenizer"),
        )
        return 0
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    code = both([f"--work={arguments.work}", *([f"--steps={steps}"] if steps else [])])
    if code == 0 and not arguments.quick:
        publish(arguments.work, arguments.out)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
