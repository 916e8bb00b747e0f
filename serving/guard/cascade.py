"""The cascade: texts through all stages, the cheap ones first, in slices between which others may run."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from serving.guard import decoding
from serving.guard.characters import characters
from serving.guard.counts import GuardCounts
from serving.guard.folding import Folded, fold
from serving.guard.remembered import JudgementMemory
from serving.guard.repetition import repeats
from serving.guard.verdict import GuardJudgement, GuardVerdict, worst
from serving.guard.windows import MOST_TEXTS, fitted, slices
from understudy.clock import Clock

ALLOW, FLAG, DEGRADE = GuardVerdict
ALLOWED = GuardJudgement()
LATE = GuardJudgement(DEGRADE, "deadline")
SYSTEM = float("inf")
"""Trust in a system message, which is the application's own: nobody is degraded for it."""
TOOL = 1.5
"""Trust in what a tool is said to do: orders to a model stand there by their nature, and those of strangers do, too."""
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
    """Log-odds from which on a text is flagged, and degraded."""

    flag: float
    degrade: float

    def judge(self, score: float, stage: str, trust: float = 0.0) -> GuardJudgement:
        """The judgement of a score. A text that is trusted is flagged where another would be degraded."""
        flag, degrade = (self.degrade, self.degrade + trust) if trust else (self.flag, self.degrade)
        if score >= degrade:
            return GuardJudgement(DEGRADE, stage, score, degrade)
        if score >= flag:
            return GuardJudgement(FLAG, stage, score, flag)
        return GuardJudgement(score=score, threshold=flag)


class GuardedText(Struct, frozen=True, gc=False):
    """A text of a request."""

    text: str
    trust: float = 0.0
    """Log-odds that it is forgiven: `SYSTEM`, `TOOL`, or none."""


def settled(work: Generator[float, None, GuardJudgement]) -> GuardJudgement:
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
        characters()  # made now, while nobody waits

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
        self, texts: Sequence[GuardedText], seconds: float = float("inf"), clock: Clock = time.thread_time
    ) -> Generator[float, None, GuardJudgement]:
        """The same as a generator that stops between slices, of a millisecond at most; its value is the judgement.

        At each stop it tells how many seconds of `clock` it has worked. Beyond `seconds` of them, with something left
        to look at, the judgement is `LATE`. What others did meanwhile does not count: whoever keeps the event loop or
        the processor busy must not have harmless requests degraded.
        """
        resumed, began, spent = clock(), time.perf_counter(), 0.0
        found, new = self._sorted(texts)
        parts, partial = fitted([one.text for one, _ in new])
        self.counts.partial += partial
        self.counts.took(0, began, time.perf_counter())
        fresh = begun = False
        for (one, name), mine in zip(new, parts, strict=True):
            judged = ALLOWED
            for part in mine:
                for piece in slices(part):
                    if begun:
                        spent += clock() - resumed
                        yield spent
                        if spent > seconds:
                            return _as_far_as_seen(worst(found, judged), fresh or judged.verdict is DEGRADE)
                        resumed = clock()
                    begun = True
                    judged = worst(judged, self._piece(piece, one.trust))
            if partial and sum(map(len, mine)) < len(one.text):
                judged = replace(judged, partial=True)
            self._remembered.put(name, judged)
            fresh = fresh or judged.verdict is DEGRADE
            found = worst(found, judged)
        return _told(found, fresh)

    def _sorted(self, texts: Sequence[GuardedText]) -> tuple[GuardJudgement, list[tuple[GuardedText, bytes]]]:
        """The worst judgement of those that are known, and the others, each once, with their names."""
        if len(texts) > MOST_TEXTS:
            rest = "\n".join(one.text for one in texts[MOST_TEXTS:])
            texts = [*texts[:MOST_TEXTS], GuardedText(rest)]
        known = ALLOWED
        new: dict[bytes, GuardedText] = {}
        for one in texts:
            name = self._remembered.name(one.text, b"%g" % one.trust)
            if name in new:
                continue
            before = self._remembered.get(name)
            if before is None:
                new[name] = one
            else:
                self.counts.remembered += 1
                known = worst(known, before)
        return known, [(one, name) for name, one in new.items()]

    def _piece(self, text: str, trust: float) -> GuardJudgement:
        """The judgement of a slice."""
        now = time.perf_counter
        began = now()
        folded = fold(text)
        unfolded = now()
        codes = decoding.decoded(text)
        looked = now()
        repeated = repeats(text) and not trust
        counted = now()
        judged = self._scored(folded, "model", trust)
        if folded.hidden:
            judged = worst(judged, self._scored(fold(folded.hidden), "tags", trust))
        for code in codes:
            self.counts.codes[code.code] += 1
            judged = worst(judged, self._scored(fold(code.text), code.code, trust))
        if repeated and judged.verdict is ALLOW:
            judged = GuardJudgement(FLAG, "repetition", judged.score)
        self.counts.took(1, began, unfolded, looked, counted, now())
        return judged

    def _scored(self, folded: Folded, stage: str, trust: float) -> GuardJudgement:
        score = self._model.score(folded.text)
        if folded.signals:
            self.counts.signals.update(folded.signals)
            score += SIGNAL * len(folded.signals)
        return self._thresholds.judge(score, stage, trust)


def _told(found: GuardJudgement, fresh: bool) -> GuardJudgement:
    """`found`, marked where nothing in it is `fresh`."""
    return replace(found, again=True) if found.verdict is DEGRADE and not fresh else found


def _as_far_as_seen(found: GuardJudgement, fresh: bool) -> GuardJudgement:
    """The judgement of a request of which no more is looked at."""
    return _told(found, fresh) if found.verdict is DEGRADE else LATE
