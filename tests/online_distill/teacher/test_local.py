"""An open teacher's targets are its own likeliest tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from online_distill import models
from online_distill.data.encoding import Encoded
from online_distill.teacher.local import LocalScorer


def test_targets_are_the_likeliest_tokens_at_each_position_of_the_reply(student: Path) -> None:
    texts = [Encoded([0, 7, 8, 9, 4], 3), Encoded([0, 20, 21, 22, 23, 24, 4], 2)]
    found = LocalScorer(student, top_k=5).score(texts)
    model = models.load(student)
    for text, top in zip(texts, found, strict=True):
        logprobs = models.reply_logits(model, [text.tokens], [text.start])[0].log_softmax(-1)
        assert top.ids.shape == top.logprobs.shape == (len(text.tokens) - text.start, 5)
        assert (top.ids[:, 0] == logprobs.argmax(-1).numpy()).all()
        own = np.take_along_axis(logprobs.numpy(), top.ids.astype(np.int64), -1)
        np.testing.assert_allclose(top.logprobs, own, atol=1e-5)
        assert (np.diff(top.logprobs) <= 0).all()
