"""The parent's share of the targets: on replay alone, a mixture of probabilities, and a pull by the loss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from online_distill import models
from online_distill.data.encoding import Encoded
from online_distill.teacher.local import LocalScorer
from online_distill.train.learner import prepared
from online_distill.train.parent import with_parent
from tests.online_distill.train.targets import random_targets
from tests.online_distill.world import quick_config


def test_replay_alone_is_mixed_by_probability(student: Path) -> None:
    items = [*random_targets(3, weight=3.0), *random_targets(4, seed=1)]
    items[4].top.ids[0, 0] = 4096
    model = models.load(student)
    found = with_parent(items, model, 0.25, 256)
    assert found[:3] == items[:3]
    for before, after in zip(items[3:], found[3:], strict=True):
        (logits,) = models.reply_logits(model, [before.tokens.tolist()], [before.start])
        own = logits.softmax(-1).gather(-1, torch.from_numpy(before.top.ids).long().clamp(max=4095)).numpy()
        expected = 0.75 * np.exp(before.top.logprobs) + 0.25 * own
        np.testing.assert_allclose(np.exp(after.top.logprobs), expected, rtol=1e-3)
        np.testing.assert_array_equal(after.top.ids, before.top.ids)


def test_without_a_share_nothing_changes(student: Path) -> None:
    items = random_targets(3)
    assert with_parent(items, models.load(student), 0.0, 256) == items


def test_a_teacher_that_is_the_parent_is_not_changed_by_a_share(student: Path) -> None:
    item = random_targets(1)[0]
    (top,) = LocalScorer(student, top_k=8).score([Encoded(item.tokens.tolist(), item.start)])
    own = [type(item)(item.key, item.tokens, item.start, 1.0, top)]
    losses = []
    for share in (0.0, 0.5):
        learner, kept, _ = prepared(student, own, quick_config(parent_share=share).recipe)
        losses.append(learner.nats(kept))
    assert abs(losses[0] - losses[1]) < 1e-3
