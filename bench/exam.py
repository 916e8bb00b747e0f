"""What rounds are judged by without engines: prompts whose templates and values are new, and the teacher's replies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

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

    def mark(self, student: Any) -> dict[str, dict[str, float]]:
        """Agreement, share of exact replies and of greedy replies that state their facts, by part."""
        found = {}
        for name, samples in self._parts.items():
            shares = agreement(student, self._texts[name])
            said = replies(student, self._encoder, samples)
            found[name] = {
                "agreement": round(fmean(shares), 4),
                "exact": round(fmean(share == 1.0 for share in shares), 4),
                "facts": round(fmean(satisfied(s, r) for s, r in zip(samples, said, strict=True)), 4),
                "n": len(samples),
            }
        return found

    def exact(self, student: Any) -> list[bool]:
        """Whether each general reply is exact, in the order of the prompts."""
        return [share == 1.0 for share in agreement(student, self._texts["general"])]
