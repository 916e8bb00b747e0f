"""The pool of a student that is unfit: every exchange of the teacher's traffic is one that it failed."""

from __future__ import annotations

from collections.abc import Sequence

from bench.real.prompts import RealPrompt
from feedback.events import HardSample, sample_id
from feedback.pool.general import is_general
from online_distill.data.encoding import Encoder
from online_distill.evaluate.agreement import REPLY_TOKENS
from trials.samples import SampleList


class TeachersTraffic(SampleList):
    """What came so far; the trainer's `Source`."""

    def serve(
        self, number: int, version: str, prompts: Sequence[RealPrompt], replies: Sequence[Sequence[int]],
        encoder: Encoder,
    ) -> None:  # fmt: skip
        """The traffic before round `number`, in which `version` is the student."""
        for one, tokens in zip(prompts, replies, strict=True):
            exchange = f"{number}/{one.id}"
            made = HardSample(
                id=sample_id(exchange, version), session=one.group, at=float(number), exchange=exchange,
                messages=[dict(message) for message in one.messages], teacher_text=encoder.text(tokens),
                teacher_tokens=tuple(tokens), student_text="", teacher="t1", student=version,
                kinds=("semantic",), cut=len(tokens) >= REPLY_TOKENS and tokens[-1] != encoder.end,
            )  # fmt: skip
            self.came.append(made)
            if is_general(exchange):
                self.general.append(made)
