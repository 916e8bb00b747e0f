"""A real teacher engine gives the targets that its weights give, for English and Chinese."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.routing.document import SlotView
from online_distill import models
from online_distill.data.encoding import Encoded, Encoder
from online_distill.teacher.local import LocalScorer
from online_distill.teacher.scorer import EngineScorer
from tests.engines import TEACHER, Engines
from understudy.errors import Unavailable

PAIRS = [("When does my order A17 arrive?", "It arrives on Friday."), ("我的订单什么时候到?", "订单将于周五送达。")]


def texts(encoder: Encoder) -> list[Encoded]:
    """The pairs as tokens."""
    found = [encoder.encode([{"role": "user", "content": q}], a, max_length=200, max_reply=64) for q, a in PAIRS]
    return [text for text in found if text is not None]


def slot(engines: Engines) -> SlotView:
    return SlotView(desired=TEACHER, version=TEACHER, ready=True, url=engines.url("teacher"), model="teacher")


@pytest.mark.engines
def test_the_engines_targets_are_those_of_its_weights(engines: Engines) -> None:
    models.prepare(1)
    folder = engines.registry.path(TEACHER)
    batch = texts(Encoder(folder))
    assert len(batch) == 2
    asked = EngineScorer(lambda: slot(engines), engines.state.engine_key, TEACHER, top_k=20, deadline=60.0)
    ours = LocalScorer(folder, top_k=20)
    for engine, local in zip(asked.score(batch), ours.score(batch), strict=True):
        assert engine.ids.shape == local.ids.shape
        np.testing.assert_allclose(engine.logprobs, local.logprobs, atol=5e-3)
        same = [len(set(a) & set(b)) for a, b in zip(engine.ids.tolist(), local.ids.tolist(), strict=True)]
        assert min(same) >= 19


@pytest.mark.engines
def test_an_engine_that_serves_another_version_gives_no_targets(engines: Engines) -> None:
    other = slot(engines).model_copy(update={"desired": "t9"})
    asked = EngineScorer(lambda: other, engines.state.engine_key, "t9", deadline=5.0)
    with pytest.raises(Unavailable, match="409"):
        asked.score(texts(Encoder(engines.registry.path(TEACHER))))
