"""Traffic of the demo's shop without engines: what it leaves in the pool, round after round.

Teacher and student answer greedily in this process; the product's own checks say what is
hard. A kind of question is gone from the traffic once its round is over.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.distil_round import replies
from demo.world import LANGUAGES, Sample, drift_intents, stream
from feedback.checks.building import build, run_checks
from feedback.checks.kinds import ReplyPair
from feedback.events import HardSample, sample_id
from feedback.pool.general import is_general
from feedback.shadow.config import ShadowConfig
from online_distill.data.encoding import Encoder
from trials.samples import SampleList
from understudy.files import read_json, write_json

NewKind = tuple[str, str]
"""(intent, language)."""
Kept = Callable[[Callable[[], list[str]]], list[str]]
"""Gives replies that it has, else those that its argument makes."""
CHECKS = build(ShadowConfig())


def new_kinds() -> list[NewKind]:
    """The pairs of an intent that students were never shown and a language."""
    return list(itertools.product(sorted(drift_intents()), LANGUAGES))


def of_kind(seed: int, split: Any, kind: NewKind, count: int) -> list[Sample]:
    """`count` samples of one new kind with distinct prompts."""
    intent, lang = kind
    many = 4 * count
    while True:
        found = [s for s in stream(seed, split, "drift", many, lang) if s.intent == intent]  # type: ignore[arg-type]
        if len(found) >= count:
            return found[:count]
        many *= 2


class Shop(SampleList):
    """A pool as the traffic so far has filled it; the trainer's `Source`."""

    def __init__(self, encoder: Encoder, teacher: Any, seed: int, file: Path | None = None) -> None:
        """`file`: where what was served is kept, and found again."""
        self._encoder, self._teacher, self._seed, self._file = encoder, teacher, seed, file
        stored = read_json(file) if file is not None and file.is_file() else {}
        super().__init__(
            *([HardSample.model_validate(one) for one in stored.get(name, ())] for name in ("hard", "anchors"))
        )
        self.served = int(stored.get("served", 0))
        """Times that traffic came."""

    def serve(
        self, student: Any, version: str, kinds: Sequence[NewKind], new: int, general: int, kept: Kept | None = None
    ) -> None:
        """`new` prompts of `kinds` and `general` others are asked of both arms.

        `kept` may have the teacher's replies.
        """
        self.served += 1
        seed = self._seed * 100 + self.served
        samples = stream(seed, "traffic", "general", general)
        for kind in kinds:
            samples += of_kind(seed, "traffic", kind, new // len(kinds))
        ask = partial(replies, self._teacher, self._encoder, samples)
        texts = ask() if kept is None else kept(ask)
        others = replies(student, self._encoder, samples)
        for sample, text, other in zip(samples, texts, others, strict=True):
            self._take(sample, text, other, version)
        if self._file is not None:
            parts = {"hard": self.came, "anchors": self.general}
            found = {name: [sample.model_dump(mode="json") for sample in part] for name, part in parts.items()}
            write_json(self._file, {"schema_version": 1, "served": self.served, **found})

    def _take(self, sample: Sample, text: str, other: str, version: str) -> None:
        messages = list(sample.messages)
        pair = ReplyPair(messages=messages, teacher=text, student=other, lang=sample.lang, greedy=True)
        failed = [kind for kind, finding in run_checks(pair, CHECKS).items() if finding.failed]
        exchange = f"{self.served}/{sample.id}"
        made = HardSample(
            id=sample_id(exchange, version), session=exchange, at=float(self.served), exchange=exchange,
            messages=messages, teacher_text=text, student_text=other, teacher="t1", student=version,
            kinds=tuple(failed), lang=sample.lang,
        )  # fmt: skip
        if failed:
            self.came.append(made)
        if not failed or is_general(exchange):
            self.general.append(made)
