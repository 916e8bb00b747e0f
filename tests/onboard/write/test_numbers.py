"""Numbers made numbers of another type, against torch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from onboard.refusal import ModelRefused
from onboard.write.numbers import all_finite, converted

TYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
floats = st.lists(st.floats(min_value=-6e4, max_value=6e4, width=32), min_size=1, max_size=20)


def raw(values: torch.Tensor) -> bytes:
    return bytes(values.contiguous().view(torch.uint8).tolist())


@given(floats, st.sampled_from(list(TYPES)), st.sampled_from(["F32", "F16", "BF16"]))
def test_every_conversion_rounds_as_torch_does(values: list[float], source: str, target: str) -> None:
    given_ = torch.tensor(values, dtype=torch.float32).to(TYPES[source])
    wanted = given_ if source == target else given_.to(torch.float32).to(TYPES[target])
    assert converted(raw(given_), source, target) == raw(wanted)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", list(TYPES))
def test_what_is_no_finite_number_is_found_in_every_type(dtype: str, bad: float) -> None:
    values = torch.tensor([1.0, bad, 2.0]).to(TYPES[dtype])
    assert not all_finite(raw(values), dtype)
    with pytest.raises(ModelRefused, match="norm holds values that are no finite numbers"):
        converted(raw(values), dtype, "F32", "norm")


def test_what_does_not_fit_the_other_type_is_refused_with_one_that_holds_it() -> None:
    large = torch.tensor([1e30])
    with pytest.raises(ModelRefused, match=r"too large for F16.*bfloat16"):
        converted(raw(large), "F32", "F16")
    assert all_finite(converted(raw(large), "F32", "BF16"), "BF16")
