"""The score stage's work: texts scored in the order given until time is up.

Shards are append-only, so that a killed stage goes on after its last one. What the same teacher was asked in an
earlier round is taken from the cache, which costs no time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from feedback.privacy.vault import Vault
from online_distill.data.encoding import Encoded
from online_distill.progress import Progress
from online_distill.teacher.cache import Memory
from online_distill.teacher.replies import ReplyScorer
from online_distill.teacher.scorer import Scorer
from online_distill.teacher.targets import SHARDS, Scored, TopK, load_all, save_shard
from online_distill.teacher.texts import Text
from understudy.clock import Clock, monotonic
from understudy.errors import BadRequest
from understudy.files import read_json, write_json

SHARD_TEXTS = 16
SPENT = "spent.json"
Giver = Callable[[Sequence[Text]], Sequence[tuple[Encoded, TopK]]]
"""For each text what is learned instead of it, which is the text itself where it could be forced, with its targets."""


class Scoring:
    """Scores texts into shards of `folder` within `seconds`, counted over all attempts, `batch` in one request."""

    def __init__(
        self, folder: Path, scorer: Scorer | ReplyScorer, seconds: float, *, batch: int, least: int,
        clock: Clock = monotonic, memory: Memory | None = None, vault: Vault | None = None,
    ) -> None:  # fmt: skip
        self._anew = scorer if isinstance(scorer, ReplyScorer) else None
        self._folder, self._give, self._least = folder, _giver(scorer), least
        self._batch = batch if self._anew is None else 1  # one that is refused has no other asked, and paid for, twice
        self._seconds, self._clock, self._memory, self._vault = seconds, clock, memory, vault
        before = read_json(folder / SPENT) if (folder / SPENT).is_file() else {}
        self._spent, self._asked = float(before.get("seconds", 0.0)), int(before.get("asked", 0))
        self._by_text = int(before.get("by_text", 0))
        self._shard: list[Scored] = []
        self._refused = 0

    def run(self, texts: Sequence[Text], progress: Progress) -> dict[str, Any]:
        """Score until all is done or time is up; `least` texts in any case."""
        known = {item.key for item in load_all(self._folder, self._vault)}
        try:
            left = self._recalled([text for text in texts if text.key not in known])
            done = self._run(left, len(texts) - len(left), progress)
        finally:
            self._flush()
        return {
            "texts": done, "texts_wanted": len(texts), "refused": self._refused, "cached": done - self._asked,
            "no_time": len(texts) - done - self._refused,
            "seconds_per_text": round(self._spent / max(1, self._asked), 4), "score_seconds": round(self._spent, 3),
            **({} if self._anew is None else {"by_text": self._all_by_text()}),
        }  # fmt: skip

    def _all_by_text(self) -> int:
        """Replies that were asked for anew and learned as text, in all attempts."""
        return self._by_text + (0 if self._anew is None else self._anew.by_text)

    def _recalled(self, texts: Sequence[Text]) -> list[Text]:
        """Those that have to be asked for; the targets of the others are at hand."""
        left = []
        for text in texts:
            top = None if self._memory is None else self._memory.recall(text)
            if top is None:
                left.append(text)
            else:
                self._shard.append(text.scored(text.encoded, top))
        return left

    def _run(self, left: Sequence[Text], done: int, progress: Progress) -> int:
        began, first, total = self._clock(), self._spent, done + len(left)
        for start in range(0, len(left), self._batch):
            if self._spent >= self._seconds and done >= self._least:
                break
            done += self._score(left[start : start + self._batch])
            self._spent = first + self._clock() - began
            if len(self._shard) >= SHARD_TEXTS:
                self._flush()
            each = max(self._spent / max(1, self._asked), 1e-6)
            fit = done + int(max(0.0, self._seconds - self._spent) / each)
            progress(done, min(total, fit), f"{each:.3f} s a text")
        return done

    def _score(self, batch: Sequence[Text]) -> int:
        try:
            found = self._give(batch)
        except BadRequest:
            if len(batch) > 1:
                return sum(self._score([text]) for text in batch)
            self._refused += 1
            return 0
        for text, (learned, top) in zip(batch, found, strict=True):
            self._shard.append(text.scored(learned, top))
            if self._memory is not None:
                self._memory.remember(text, learned, top)
        self._asked += len(batch)
        return len(batch)

    def _flush(self) -> None:
        if self._shard:
            number = len(list(self._folder.glob(SHARDS))) + 1
            save_shard(self._folder / SHARDS.replace("*", f"{number:05d}"), self._shard, self._vault)
            self._shard = []
        spent = {"seconds": self._spent, "asked": self._asked, "by_text": self._all_by_text()}
        write_json(self._folder / SPENT, {"schema_version": 1, **spent})


def _giver(scorer: Scorer | ReplyScorer) -> Giver:
    if isinstance(scorer, ReplyScorer):
        return scorer.answer
    return lambda texts: [
        (t.encoded, top) for t, top in zip(texts, scorer.score([t.encoded for t in texts]), strict=True)
    ]
