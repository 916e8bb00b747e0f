"""An open teacher's targets from its weights inside this process: no engine is burdened, memory is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from online_distill import models
from online_distill.data.encoding import Encoded
from online_distill.teacher.targets import TopK


class LocalScorer:
    """Scores by the model of a folder in float32, under the same Protocol as the engine."""

    def __init__(self, folder: Path, *, top_k: int = 20, device: torch.device | None = None) -> None:
        self._model: Any = models.load(folder, device)
        self._top_k = top_k

    def score(self, texts: Sequence[Encoded]) -> list[TopK]:
        logits = models.reply_logits(self._model, [t.tokens for t in texts], [t.start for t in texts])
        return [self._top(rows) for rows in logits]

    def close(self) -> None:
        """Let go of the model."""
        self._model = None

    def _top(self, logits: torch.Tensor) -> TopK:
        best = logits.log_softmax(-1).topk(self._top_k, dim=-1)
        return TopK(best.indices.cpu().numpy().astype(np.int32), best.values.cpu().numpy().astype(np.float32))
