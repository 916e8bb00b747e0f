"""The round's parent, asked what it knows already."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from online_distill import models
from online_distill.data.encoding import Encoder
from online_distill.data.rows import Row
from online_distill.evaluate.agreement import agreement
from online_distill.role.context import Context


class Parent:
    """Loads the parent's weights when it is first asked."""

    def __init__(self, context: Context, encoder: Encoder) -> None:
        self._context, self._encoder = context, encoder

    def agrees(self, rows: Sequence[Row]) -> list[bool]:
        """Whether each token of the teacher's text is the parent's own choice, given those before it.

        A row that does not fit `max_length` counts as known: there is nothing to learn from it.

        Raises:
            IntegrityError: the parent's files are not those of its manifest.
            NotFound: the parent is not registered.
        """
        config = self._context.config
        limits = {"max_length": config.max_length, "max_reply": config.max_reply}
        texts = [
            self._encoder.encode(row.messages, row.teacher_text, cut=row.cut, logged=row.teacher_tokens, **limits)
            for row in rows
        ]
        shares = iter(agreement(self._model, [text for text in texts if text is not None]))
        return [text is None or next(shares) == 1.0 for text in texts]

    def marked(self, rows: Sequence[Row]) -> list[Row]:
        """The rows, those for replay marked whose text the parent gives itself.

        Raises as `agrees` does.
        """
        replay = [row for row in rows if row.role == "anchor"]
        if self._context.config.replay_targets == "teacher" or not replay:
            return list(rows)
        known = iter(self.agrees(replay))
        return [row.model_copy(update={"known": next(known)}) if row.role == "anchor" else row for row in rows]

    @cached_property
    def _model(self) -> Any:
        registry, version = self._context.registry, self._context.round.parent
        registry.verify(version)
        return models.load(registry.path(version), models.pick_device(self._context.config.device))
