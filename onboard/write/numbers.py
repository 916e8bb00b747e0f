"""Numbers of one type made numbers of another, and whether all are finite: numpy on raw bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onboard.refusal import ModelRefused

RAW: dict[str, Any] = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
"""How each type lies in memory; a bfloat16 is the upper half of a float32."""
NAMES = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}
"""Types as people and config.json name them, to those of safetensors."""
_BF16_EXPONENT = 0x7F80


def all_finite(raw: bytes, dtype: str) -> bool:
    """Whether every number is one."""
    values = np.frombuffer(raw, RAW[dtype])
    if dtype == "BF16":
        return bool(((values & _BF16_EXPONENT) != _BF16_EXPONENT).all())
    return bool(np.isfinite(values).all())


def converted(raw: bytes, source: str, target: str, name: str = "a tensor") -> bytes:
    """`raw`, numbers of type `source`, as type `target`, rounded to nearest even.

    Raises:
        ModelRefused: a value is no finite number, or none in the other type.
    """
    if not all_finite(raw, source):
        raise ModelRefused(f"{name} holds values that are no finite numbers: the file is damaged, or its training was")
    if source == target:
        return raw
    with np.errstate(over="ignore"):
        out = _narrowed(_widened(np.frombuffer(raw, RAW[source]), source), target).tobytes()
    if not all_finite(out, target):
        raise ModelRefused(f"{name} holds values that are too large for {target}: import with --dtype bfloat16")
    return out


def _widened(values: NDArray[Any], dtype: str) -> NDArray[np.float32]:
    if dtype == "BF16":
        return (values.astype("<u4") << 16).view("<f4")
    return values.astype("<f4")


def _narrowed(values: NDArray[np.float32], dtype: str) -> NDArray[Any]:
    if dtype != "BF16":
        narrowed: NDArray[Any] = values.astype(RAW[dtype])
        return narrowed
    bits = values.view("<u4").astype("<u8")
    rounded: NDArray[Any] = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
    return rounded
