"""The guard of one gateway: whose verdicts hold, which sessions learn nothing more, and who else is asked."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Literal

from deploy.routing.guarding import GuardMode, GuardRules
from feedback.flagged.config import FlaggedConfig
from serving.breaker.openings import Openings
from serving.breaker.sharing import Sharing
from serving.breaker.users import UserBreakers
from serving.gateway.guarding.classifier import Classifier
from serving.guard.cascade import Guard, GuardedText, ScoringModel, Thresholds
from serving.guard.config import GuardConfig
from serving.guard.folding import fold
from serving.guard.verdict import GuardJudgement
from understudy.clock import Clock, wall

MOST_SESSIONS = 50_000
INLINE = 8_000
"""Characters of a request up to which it is judged in one go; beyond, others run between slices."""
_NO_RULES = GuardRules()
_KEPT = FlaggedConfig()
HeldMode = GuardMode | Literal["allowed", "switched_off"]
"""The mode that held for a request; `allowed`: an operator's exception; `switched_off`: by an experiment."""


class GuardWatch:
    """Used by the event loop alone."""

    def __init__(
        self, config: GuardConfig, model: ScoringModel, clock: Clock = time.monotonic,
        openings: Callable[[], Openings | None] = lambda: None, kept: FlaggedConfig = _KEPT,
    ) -> None:  # fmt: skip
        """`openings` finds the stream by which gateways share whose breaker opened, None while there is none."""
        self._own = _over(Thresholds(model.flag, model.degrade), config.flag, config.degrade)
        self.guard = Guard(model, self._own, config.remembered)
        self.wall: Clock = wall
        self.worked: Clock = time.thread_time
        """The clock of the guard's own work."""
        fold("Its tables are made at the first use: now, and not within the deadline of a request. 你好")
        self.classifier = None if config.endpoint is None else Classifier(config.endpoint, config.remembered)
        self._config = config
        self.clock = clock
        self._most_kept = float(kept.degraded_per_minute)
        self._room, self._kept_at = self._most_kept, clock()
        self.sharing = Sharing(openings)
        self.users = UserBreakers(config.breaker, clock, self.sharing.tell)
        self._rules: GuardRules = _NO_RULES
        self._quarantined: OrderedDict[tuple[str, str], None] = OrderedDict()

    def follow(self, rules: GuardRules | None) -> None:
        """Take what a routing document says over this gateway's own settings."""
        rules = rules or _NO_RULES
        if rules is not self._rules:
            self._rules = rules
            self.guard.use(_over(self._own, rules.flag, rules.degrade))

    def mode(self, tenant: str) -> GuardMode:
        """What is done with the requests of a tenant: the routing document's word, else the settings'."""
        rules, config = self._rules, self._config
        return rules.tenants.get(tenant) or rules.mode or config.tenants.get(tenant) or config.mode

    @property
    def excepts(self) -> bool:
        """Whether operators made exceptions."""
        return bool(self._rules.allow)

    def allowed(self, tenant: str, system: str, user: str) -> bool:
        """Whether an operator's exception lets a request through: of a tenant, hash of its system message, user."""
        now = self.wall()
        return any(rule.holds(tenant, system, user, now) for rule in self._rules.allow)

    @property
    def seconds(self) -> float:
        """Of work after which a request must be judged."""
        return self._config.deadline_ms / 1000

    def inline(self, texts: Sequence[GuardedText]) -> bool:
        """Whether `texts` are judged in one go."""
        return self.classifier is None and sum(len(one.text) for one in texts) <= INLINE

    def settle(self, judgement: GuardJudgement, mode: HeldMode) -> None:
        """Count a judgement."""
        self.guard.counts.verdicts[mode, judgement.verdict.value, judgement.stage] += 1

    def quarantine(self, tenant: str, session: str) -> None:
        """From here on nothing of a session is learned from."""
        self._quarantined[tenant, session] = None
        self._quarantined.move_to_end((tenant, session))
        if len(self._quarantined) > MOST_SESSIONS:
            self._quarantined.popitem(last=False)

    def quarantined(self, tenant: str, session: str) -> bool:
        """Whether an earlier turn of a session was flagged here."""
        return (tenant, session) in self._quarantined

    def keeps(self) -> bool:
        """Whether one more degraded request may be kept now: so many a minute, saved up to a minute's worth."""
        now, most = self.clock(), self._most_kept
        self._room = min(most, self._room + (now - self._kept_at) * most / 60)
        self._kept_at = now
        if self._room < 1:
            return False
        self._room -= 1
        return True

    async def close(self) -> None:
        """Let go of the classifier's connections."""
        if self.classifier is not None:
            await self.classifier.close()


def _over(own: Thresholds, flag: float | None, degrade: float | None) -> Thresholds:
    """`own` with what is given in its place; never a threshold for degrading below that for flagging."""
    flag = own.flag if flag is None else flag
    return Thresholds(flag, max(flag, own.degrade if degrade is None else degrade))
