"""Which scorer a round's teacher is asked by."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from deploy.engines.knowledge import Knowledge
from deploy.registry.store import Registry
from deploy.rounds.record import Round
from deploy.routing.document import SlotView
from feedback.store.spending import Spending
from online_distill import models
from online_distill.data.encoding import Encoder
from online_distill.role.config import TrainerConfig
from online_distill.teacher.local import LocalScorer
from online_distill.teacher.metered import MeteredScorer, check
from online_distill.teacher.replies import ReplyScorer
from online_distill.teacher.scorer import EngineScorer, Scorer
from online_distill.teacher.spoken import TextScorer


def make_scorer(
    current: Round,
    registry: Registry,
    config: TrainerConfig,
    teacher_slot: Callable[[], SlotView | None],
    key_file: Path | None,
    knowledge: Knowledge,
    spending: Spending | None = None,
) -> Scorer | ReplyScorer:
    """The scorer that `trainer.scorer` names, where there is more than text to learn from.

    `teacher_slot` tells where the teacher's engine is now; `spending` is the account of one that somebody else runs.

    Raises:
        ConfigError: there is no such device.
        IntegrityError: the teacher's files, which are to be loaded here, are not those of its manifest.
        NotFound: teacher or parent are not registered.
    """
    if knowledge.level == "text":
        return TextScorer(top_k=config.top_k)
    top_k = min(config.top_k, knowledge.width or config.top_k)
    if knowledge.level == "replies":
        account: dict[str, Any] = (
            {} if spending is None else {"spend": partial(spending.add, "scoring"), "check": partial(check, spending)}
        )
        return ReplyScorer(
            teacher_slot, Encoder(registry.path(current.parent)), top_k=top_k, max_reply=config.max_reply,
            max_length=config.max_length, **account,
        )  # fmt: skip
    if config.scorer == "local":
        registry.verify(current.teacher)
        device = models.pick_device(config.device)
        return LocalScorer(registry.path(current.teacher), top_k=config.top_k, device=device)
    asked = EngineScorer(
        teacher_slot, key_file, current.teacher, top_k=top_k, busy_running=config.busy_running,
        wait_share=config.wait_share,
    )  # fmt: skip
    return asked if spending is None else MeteredScorer(asked, spending)
