"""What rounds are judged by without engines: prompts whose templates and values are new, and the teacher's replies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from ab.matched import Matched
from bench.distil_round import replies
from bench.shop import new_kinds, of_kind
from demo.world import Sample, satisfied, stream
from online_distill.data.encoding import Encoded, Encoder
from online_distill.evaluate.agreement import REPLY_TOKENS, agreement
from understudy.files import read_json, write_json

SEED = 900


def kept(path: Path, make: Callable[[], list[str]]) -> list[str]:
    """The texts in the file; made and written where it is absent."""
    if not path.is_file():
        write_json(path, {"schema_version": 1, "texts": make()})
    found: list[str] = read_json(path)["texts"]
    return found


@dataclass(frozen=True, slots=True)
class Marks:
    """Of each prompt of a part: share of its reply's tokens that agree, and whether its facts are right."""

    shares: list[float]
    facts: list[bool]

    @property
    def exact(self) -> list[bool]:
        """Which replies are exact: every token the student's own choice under the teacher's prefix."""
        return [share == 1.0 for share in self.shares]

    def figures(self) -> dict[str, float]:
        """Agreement, share of exact replies and of greedy replies that state their facts, and how many prompts."""
        means = {"agreement": fmean(self.shares), "exact": fmean(self.exact), "facts": fmean(self.facts)}
        return {name: round(mean, 4) for name, mean in means.items()} | {"n": len(self.shares)}


def bits(right: Sequence[bool]) -> str:
    """A digit for each prompt, as a record keeps them."""
    return "".join(str(int(one)) for one in right)


def lost(before: str, after: str) -> Matched:
    """What two students got right of the same prompts, in digits: lost where the first alone was right."""
    return Matched.of((one == "1", other == "1") for one, other in zip(before, after, strict=True))


class Exam:
    """Prompts of the split `eval` with the teacher's greedy replies: general ones, and those of each new kind.

    The teacher's replies are kept in `folder`, whoever is judged.
    """

    def __init__(self, encoder: Encoder, teacher: Any, general: int, each: int, folder: Path) -> None:
        self._encoder = encoder
        self._parts: dict[str, list[Sample]] = {"general": stream(SEED, "eval", "general", general)}
        for kind in new_kinds():
            self._parts["/".join(kind)] = of_kind(SEED + 1, "eval", kind, each)
        every = [sample for part in self._parts.values() for sample in part]
        truth = iter(kept(folder / f"exam-{general}-{each}.json", lambda: replies(teacher, encoder, every)))
        self._texts = {name: self._encoded(part, [next(truth) for _ in part]) for name, part in self._parts.items()}

    def _encoded(self, samples: Sequence[Sample], truth: Sequence[str]) -> list[Encoded]:
        texts = [
            self._encoder.encode(list(s.messages), reply, max_length=512, max_reply=REPLY_TOKENS)
            for s, reply in zip(samples, truth, strict=True)
        ]
        return [text for text in texts if text is not None]

    def marks(self, student: Any) -> dict[str, Marks]:
        """How a student does, by part."""
        return {name: self._of(student, name, samples) for name, samples in self._parts.items()}

    def _of(self, student: Any, name: str, samples: Sequence[Sample]) -> Marks:
        said = replies(student, self._encoder, samples)
        facts = [satisfied(sample, reply) for sample, reply in zip(samples, said, strict=True)]
        return Marks(agreement(student, self._texts[name]), facts)
