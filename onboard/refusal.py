"""Why a model cannot be used, and the nearest thing that works."""

from __future__ import annotations

from understudy.errors import BadRequest


class ModelRefused(BadRequest):
    """A model that cannot be imported or cut; nothing was registered."""

    code = "model_refused"
