"""The cascade: texts through all stages, the cheap ones first, in slices between which others may run."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from serving.guard import decoding
from serving.guard.counts import GuardCounts
from serving.guard.folding import Folded, fold
from serving.guard.remembered import JudgementMemory
from serving.guard.repetition import repeats
from serving.guard.verdict import GuardJudgement, GuardVerdict, worst
from serving.guard.windows import MOST_TEXTS, fitted, slices
from understudy.clock import Clock

ALLOWED = GuardJudgement()
LATE = GuardJudgement(GuardVerdict.DEGRADE, "deadline")
SIGNAL = 0.25
"""Added to the log-odds for each thing that had to be taken away, which hid words."""


class ScoringModel(Protocol):
    """The model, with the thresholds that were chosen for it."""

    @property
    def flag(self) -> float: ...
    @property
    def degrade(self) -> float: ...
    def score(self, folded: str) -> float:
        """Log-odds of an attack."""
        ...


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Log-odds from which on a text is flagged, and degraded; of a text of the application itself another holds."""

    flag: float
    degrade: float

    def judge(self, score: float, stage: str, trusted: bool) -> GuardJudgement:
        """The judgement of a score. A trusted text is never degraded, and flagged where another would be degraded."""
        if score >= self.degrade:
            verdict = GuardVerdict.FLAG if trusted else GuardVerdict.DEGRADE
            return GuardJudgement(verdict, stage, score, self.degrade)
        if score >= self.flag and not trusted:
            return GuardJudgement(GuardVerdict.FLAG, stage, score, self.flag)
        return GuardJudgement(score=score, threshold=self.flag)


@dataclass(frozen=True, slots=True)
class GuardedText:
    """A text of a request; `trusted`: of a system message, which is the application's own."""

    text: str
    trusted: bool = False


def settled(work: Generator[None, None, GuardJudgement]) -> GuardJudgement:
    """The value of `work`, all of it done in one go."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            judgement: GuardJudgement = end.value
            return judgement


class Guard:
    """Judges the texts of requests; one in each gateway, used by its event loop alone."""

    def __init__(self, model: ScoringModel, thresholds: Thresholds, remembered: int = 20_000) -> None:
        self._model = model
        self._thresholds = thresholds
        self._remembered = JudgementMemory(remembered)
        self.counts = GuardCounts()

    @property
    def thresholds(self) -> Thresholds:
        """Those that hold."""
        return self._thresholds

    def use(self, thresholds: Thresholds) -> None:
        """Hold scores to others from now on; what was remembered is judged anew."""
        if thresholds != self._thresholds:
            self._thresholds = thresholds
            self._remembered.clear()

    def judge(self, texts: Sequence[GuardedText]) -> GuardJudgement:
        """The worst judgement of `texts`, all in one go."""
        return settled(self.work(texts))

    def work(
        self, texts: Sequence[GuardedText], deadline: float = float("inf"), clock: Clock = time.monotonic
    ) -> Generator[None, None, GuardJudgement]:
        """The same as a generator that stops after each slice, of a millisecond at most; its value is the judgement.

        Once `deadline` on `clock` is over, the judgement is `LATE`.
        """
        began = time.perf_counter()
        known, new = self._sorted(texts)
        found = ALLOWED if known is None else known
        parts, partial = fitted([one.text for one, _ in new])
        self.counts.partial += partial
        self.counts.took("size", time.perf_counter() - began)
        fresh = False
        for (one, name), mine in zip(new, parts, strict=True):
            judged = replace(ALLOWED, partial=sum(map(len, mine)) < len(one.text))
            for part in mine:
                for piece in slices(part):
                    judged = worst(judged, self._piece(piece, one.trusted))
                    yield
                    if clock() > deadline:
                        return LATE
            self._remembered.put(name, judged)
            fresh = fresh or judged.verdict is GuardVerdict.DEGRADE
            found = worst(found, judged)
        return replace(found, again=found.verdict is GuardVerdict.DEGRADE and not fresh)

    def _sorted(self, texts: Sequence[GuardedText]) -> tuple[GuardJudgement | None, list[tuple[GuardedText, bytes]]]:
        """The worst judgement of those that are known, and the others, each once, with their names."""
        if len(texts) > MOST_TEXTS:
            rest = "\n".join(one.text for one in texts[MOST_TEXTS:])
            texts = [*texts[:MOST_TEXTS], GuardedText(rest)]
        known: GuardJudgement | None = None
        new: dict[bytes, GuardedText] = {}
        for one in texts:
            name = self._remembered.name(one.text, b"trusted" if one.trusted else b"")
            if name in new:
                continue
            before = self._remembered.get(name)
            if before is None:
                new[name] = one
            else:
                self.counts.remembered += 1
                known = before if known is None else worst(known, before)
        return known, [(one, name) for name, one in new.items()]

    def _piece(self, text: str, trusted: bool) -> GuardJudgement:
        """The judgement of a slice."""
        counts, now = self.counts, time.perf_counter
        began = now()
        folded = fold(text)
        counts.took("fold", (then := now()) - began)
        codes = decoding.decoded(text)
        counts.took("decode", (began := now()) - then)
        judged = ALLOWED
        if repeats(text) and not trusted:
            judged = GuardJudgement(GuardVerdict.FLAG, "repetition")
        counts.took("repetition", (then := now()) - began)
        judged = worst(judged, self._scored(folded, "model", trusted))
        if folded.hidden:
            judged = worst(judged, self._scored(fold(folded.hidden), "tags", trusted))
        for code in codes:
            counts.codes[code.code] += 1
            judged = worst(judged, self._scored(fold(code.text), code.code, trusted))
        counts.took("model", now() - then)
        return judged

    def _scored(self, folded: Folded, stage: str, trusted: bool) -> GuardJudgement:
        for signal in folded.signals:
            self.counts.signals[signal] += 1
        score = self._model.score(folded.text) + SIGNAL * len(folded.signals)
        return self._thresholds.judge(score, stage, trusted)
