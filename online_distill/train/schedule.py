"""Where a run stands between its beginning (0) and its end (1), as a share of the time that it has: pure.

How many steps fit into the time is not known before they are done, so the rate follows this share and not a
number of steps. Yet a run that is killed, or repeated, must take every step at the same rate again, whatever the
clock says then. So the clock is looked at in a few places only, the plans: one as soon as the pace is known and
one at each checkpoint. A plan says by how much each token moves the share (`per_token`), such that it reaches 1
when the time is over or `most` tokens are learned. From plan to plan the share is a function of the tokens alone.
The checkpoint carries all of it, and the trajectory holds the share and the rate of each step.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

UNTIMED_STEPS = 1
"""Steps at the beginning that tell nothing of the pace: memory is touched, kernels are chosen."""
TIMED_STEPS = 4
CALIBRATION_SHARE = 0.05
"""Of the time, or of the tokens at most, before the first plan: a machine that also serves is slow for seconds."""
ALMOST = 1.0 - 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a run may take: seconds of training, and tokens (of prompts and replies) at least and at most."""

    seconds: float
    least: float
    most: float

    @property
    def fixed(self) -> bool:
        """Whether the clock has no say in how many tokens are learned."""
        return self.least >= self.most


@dataclass(slots=True)
class Schedule:
    """The state of a run's clock; `spent` never goes back."""

    bounds: Bounds
    share: float = 0.0
    per_token: float = 0.0
    """By how much a token moves the share; 0 before the first plan."""
    spent: float = 0.0
    """Seconds of training, over all attempts."""
    tokens: int = 0
    plans: list[tuple[int, int, float, float]] = field(default_factory=list)
    """(step, tokens of the whole run expected then, share, seconds a token) of each plan."""
    _since: tuple[float, int] = (0.0, 0)
    """Seconds and tokens at the last plan."""
    _timed: list[float] = field(default_factory=list)
    """Seconds a token of the steps before the first plan."""

    @property
    def over(self) -> bool:
        """Whether the run has had its time or its tokens; never before it has had its least."""
        if self.tokens >= self.bounds.most:
            return True
        return self.share >= ALMOST and self.tokens >= self.bounds.least

    @property
    def expected(self) -> int:
        """Tokens of the whole run as planned last; 0 before the first plan."""
        return self.plans[-1][1] if self.plans else 0

    @property
    def pace(self) -> float:
        """Seconds a token over the whole run so far; 0 before its first step."""
        return self.spent / self.tokens if self.tokens else 0.0

    def prepare(self, seconds: float) -> None:
        """Count seconds before a step, such as those of loading: they are used, and say nothing of the pace."""
        self.spent += seconds
        self._since = (self._since[0] + seconds, self._since[1])

    def advance(self, step: int, tokens: int, seconds: float) -> None:
        """Count a step that took `seconds`; the first plan is made here, once the pace is known."""
        self.spent, self.tokens = self.spent + seconds, self.tokens + tokens
        if self.plans:
            self.share = min(1.0, self.share + tokens * self.per_token)
            return
        if step >= UNTIMED_STEPS:
            self._timed.append(seconds / tokens)
        used = max(self.spent / self.bounds.seconds, self.tokens / self.bounds.most)
        if len(self._timed) >= TIMED_STEPS and used >= CALIBRATION_SHARE:
            self.plan(step + 1, median(self._timed))

    def plan(self, step: int, token_seconds: float | None = None) -> None:
        """Spread what is left of the share over what is left of the time, from `step` on.

        Without `token_seconds` by the pace since the last plan; nothing is changed where there is none yet. Where the
        clock has no say the first plan stands.
        """
        if self.plans and self.bounds.fixed:
            return
        seconds, tokens = self.spent - self._since[0], self.tokens - self._since[1]
        if token_seconds is None:
            if not self.plans or tokens == 0:
                return
            token_seconds = seconds / tokens
        time_left = max(0.0, self.bounds.seconds - self.spent)
        left = max(time_left / max(token_seconds, 1e-12), self.bounds.least - self.tokens)
        left = max(1.0, min(left, self.bounds.most - self.tokens))
        self.per_token = (1.0 - self.share) / left
        self.plans.append((step, self.tokens + round(left), self.share, token_seconds))
        self._since = (self.spent, self.tokens)

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        return {name: value for name, value in asdict(self).items() if name != "bounds"}

    def load_state(self, state: dict[str, Any]) -> None:
        """Stand where a checkpoint stood."""
        for name, value in state.items():
            setattr(self, name, value)

    def go_back(self, state: dict[str, Any], step: int) -> None:
        """Stand where a checkpoint stood before `step`, save that the time used since then stays used."""
        spent = self.spent
        self.load_state(state)
        self.spent, self._since = spent, (spent, self.tokens)
        if self.plans:
            self.plan(step, self.plans[-1][3])
