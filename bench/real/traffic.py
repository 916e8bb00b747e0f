"""The pool of a student that is unfit: every exchange of the teacher's traffic is one that it failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.real.prompts import RealPrompt
from feedback.events import HardSample, sample_id
from feedback.pool.general import is_general
from online_distill.data.encoding import Encoder
from online_distill.evaluate.agreement import REPLY_TOKENS


class TeachersTraffic:
    """What came so far; implements the trainer's `Source`."""

    def __init__(self) -> None:
        self._samples: list[HardSample] = []

    def serve(
        self, number: int, version: str, prompts: Sequence[RealPrompt], replies: Sequence[Sequence[int]],
        encoder: Encoder,
    ) -> None:  # fmt: skip
        """The traffic before round `number`, in which `version` is the student."""
        for one, tokens in zip(prompts, replies, strict=True):
            exchange = f"{number}/{one.id}"
            self._samples.append(
                HardSample(
                    id=sample_id(exchange, version), session=one.group, at=float(number), exchange=exchange,
                    messages=[dict(message) for message in one.messages], teacher_text=encoder.text(tokens),
                    teacher_tokens=tuple(tokens), student_text="", teacher="t1", student=version,
                    kinds=("semantic",), cut=len(tokens) >= REPLY_TOKENS and tokens[-1] != encoder.end,
                )
            )  # fmt: skip

    def hard(self, n: int) -> Sequence[HardSample]:
        return self._samples[-n:]

    def fresh(self, position: int, student: str) -> Sequence[HardSample]:
        return [sample for sample in self._samples[position:] if sample.student == student]

    def anchors(self, n: int) -> Sequence[HardSample]:
        return [sample for sample in self._samples if is_general(sample.exchange)][-n:]

    def position(self) -> int:
        return len(self._samples)

    def fresh_since(self, position: int, student: str, enough: int) -> int:
        return len(self.fresh(position, student))

    def purged(self) -> Mapping[str, float]:
        return {}
