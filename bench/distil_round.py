"""`understudy bench round`: one round without engines, on samples of the demo's world.

Hard samples are drift prompts, anchors general ones, both of the split "traffic" with the teacher's and the
student's own greedy replies; judged on the split "eval", of which templates and values are new. The round is
the product's own, with its budget; figures are agreement (the student's argmax under the teacher's greedy reply)
and the share of greedy replies that satisfy the sample's fact checks.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from bench.options import parser
from demo.world import Family, Sample, satisfied, stream
from deploy.registry.manifest import Kind
from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds
from feedback.events import HardSample, sample_id
from online_distill import models
from online_distill.data.encoding import Encoder
from online_distill.evaluate.agreement import REPLY_TOKENS, agreement
from online_distill.role.config import TrainerConfig
from online_distill.role.context import Context
from online_distill.role.runner import run_round
from online_distill.teacher.local import LocalScorer
from trials.samples import SampleList
from trials.system import ROOT
from understudy.config import load_config
from understudy.files import write_json
from understudy.state import StateDir

FAMILIES: tuple[Family, ...] = ("drift", "general")


def replies(model: Any, encoder: Encoder, samples: Sequence[Sample], batch: int = 32) -> list[str]:
    """Greedy replies of 64 tokens at most."""
    prompts = [encoder.prompt(list(sample.messages)) for sample in samples]
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    found = [""] * len(prompts)
    for start in range(0, len(order), batch):
        part = order[start : start + batch]
        width = max(len(prompts[i]) for i in part)
        rows = [[0] * (width - len(prompts[i])) + prompts[i] for i in part]
        mask = [[0] * (width - len(prompts[i])) + [1] * len(prompts[i]) for i in part]
        with torch.inference_mode():
            out = model.generate(
                torch.tensor(rows), attention_mask=torch.tensor(mask), max_new_tokens=REPLY_TOKENS, do_sample=False
            )
        for index, tokens in zip(part, out[:, width:].tolist(), strict=True):
            found[index] = encoder.tokenizer.decode(tokens, skip_special_tokens=True)
    return found


def world(encoder: Encoder, teacher: Any, student: Any, counts: dict[str, int], seed: int) -> SampleList:
    """Samples of the demo's world as the pool would hold them."""
    found: dict[str, list[HardSample]] = {}
    for family in FAMILIES:
        samples = stream(seed, "traffic", family, counts[family])
        texts = replies(teacher, encoder, samples)
        others = replies(student, encoder, samples) if family == "drift" else texts
        found[family] = [_sample(*row) for row in zip(samples, texts, others, strict=True)]
    return SampleList(found["drift"], found["general"])


def _sample(sample: Sample, teacher_text: str, student_text: str) -> HardSample:
    return HardSample(
        id=sample_id(sample.id, "v1"), session=sample.id, at=0.0, exchange=sample.id,
        messages=list(sample.messages), teacher_text=teacher_text, student_text=student_text, teacher="t1",
        student="v1", kinds=("semantic",), lang=sample.lang,
    )  # fmt: skip


def figures(
    folder: Path, encoder: Encoder, judged: dict[Family, list[Sample]], truth: dict[Family, list[str]]
) -> dict[str, dict[str, float]]:
    """Agreement and pass rate of a model by family."""
    model = models.load(folder)
    found: dict[str, dict[str, float]] = {}
    for family, samples in judged.items():
        texts = [
            encoder.encode(list(s.messages), reply, max_length=512, max_reply=REPLY_TOKENS)
            for s, reply in zip(samples, truth[family], strict=True)
        ]
        shares = agreement(model, [text for text in texts if text is not None])
        passed = [satisfied(s, r) for s, r in zip(samples, replies(model, encoder, samples), strict=True)]
        found[family] = {"agreement": fmean(shares), "facts": fmean(passed)}
    return found


def measure(options: argparse.Namespace, config: TrainerConfig, root: Path) -> dict[str, Any]:
    """Run the round in `root` and judge before and after."""
    encoder = Encoder(options.student)
    teacher = models.load(options.teacher)
    judged = {family: stream(options.seed + 900, "eval", family, options.judge) for family in FAMILIES}
    truth = {family: replies(teacher, encoder, samples) for family, samples in judged.items()}
    counts = {"drift": options.samples, "general": options.anchors}
    source = world(encoder, teacher, models.load(options.student), counts, options.seed)
    state = StateDir(root)
    registry, rounds = Registry(state), FileRounds(state)
    given: tuple[tuple[Path, str, Kind], ...]
    given = ((options.teacher, "t1", "teacher"), (options.student, "v1", "student"))
    for folder, version, kind in given:
        registry.register(
            folder, kind=kind, parent=None, teacher=None, round=None, lineage={}, metrics={}, version=version
        )
    began = time.monotonic()
    done = run_round(
        Context(
            round=rounds.begin("v1", "t1", "bench"),
            rounds=rounds,
            registry=registry,
            config=config,
            source=source,
            make_scorer=lambda this: LocalScorer(registry.path(this.teacher), top_k=config.top_k),
        )
    )
    seconds = time.monotonic() - began
    passed = {f: fmean(satisfied(s, r) for s, r in zip(judged[f], truth[f], strict=True)) for f in FAMILIES}
    return {
        "state": done.state,
        "seconds": round(seconds, 1),
        "stages": {name: {"seconds": round(s.seconds, 1), **s.summary} for name, s in done.stages.items()},
        "teacher_facts": passed,
        "before": figures(options.student, encoder, judged, truth),
        "after": figures(registry.path("v2"), encoder, judged, truth) if done.candidate else None,
    }


def show(report: dict[str, Any]) -> None:
    """The table."""
    table = Table(title=f"a round of {report['seconds']} s, then {report['state']}")
    for column in ("family", "figure", "teacher", "before", "after"):
        table.add_column(column, justify="left" if column in ("family", "figure") else "right")
    for family in FAMILIES:
        for name in ("agreement", "facts"):
            teacher = f"{report['teacher_facts'][family]:.3f}" if name == "facts" else ""
            after = f"{report['after'][family][name]:.3f}" if report["after"] else "-"
            table.add_row(family, name, teacher, f"{report['before'][family][name]:.3f}", after)
    Console().print(table)


def main(argv: list[str]) -> int:
    """Entry point; exit code 0 when the round reached the gate."""
    made = parser("round", __doc__, "few samples, half a minute of training")
    made.add_argument("--teacher", type=Path, default=ROOT / "demo" / "models" / "teacher")
    made.add_argument("--student", type=Path, default=ROOT / "demo" / "registry" / "students" / "v2")
    made.add_argument("--samples", type=int, default=250, help="drift samples")
    made.add_argument("--anchors", type=int, default=250, help="general samples")
    made.add_argument("--judge", type=int, default=200, help="held-out samples of each family")
    made.add_argument("--seed", type=int, default=7)
    made.add_argument("--config", type=Path, help="configuration file; UNDERSTUDY_TRAINER__... works as well")
    options = made.parse_args(argv)
    config = load_config(options.config).section(TrainerConfig)
    if options.quick:
        options.samples, options.anchors, options.judge = 80, 80, 60
        config = config.model_copy(update={"budget_seconds": 40.0})
    models.prepare(config.threads)
    with tempfile.TemporaryDirectory(prefix="understudy-round-") as root:
        report = measure(options, config, Path(root))
    if options.json:
        write_json(options.json, report)
    show(report)
    return 0 if report["after"] is not None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
