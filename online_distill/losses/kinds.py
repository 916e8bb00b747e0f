"""The names of the divergences, apart from their arithmetic: configuration is read where torch is not loaded."""

from __future__ import annotations

from typing import Literal

Divergence = Literal["forward", "reverse", "js", "skew"]
