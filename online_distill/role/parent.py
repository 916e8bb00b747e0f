"""The round's parent, asked what it knows already."""

from __future__ import annotations

from collections.abc import Sequence

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
        config, registry, version = self._context.config, self._context.registry, self._context.round.parent
        registry.verify(version)
        model = models.load(registry.path(version), models.pick_device(config.device))
        limits = {"max_length": config.max_length, "max_reply": config.max_reply}
        texts = [self._encoder.encode(row.messages, row.teacher_text, cut=row.cut, **limits) for row in rows]
        shares = iter(agreement(model, [text for text in texts if text is not None]))
        return [text is None or next(shares) == 1.0 for text in texts]
