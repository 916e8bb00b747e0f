"""Which architectures both libraries know, against what vLLM itself says."""

from __future__ import annotations

import pytest

from onboard.checks.architecture import in_transformers, in_vllm, require_known, unties
from onboard.refusal import ModelRefused


def test_well_known_ones_are_known_to_both() -> None:
    for name in ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM", "Phi3ForCausalLM"):
        assert require_known({"architectures": [name]}) == name
    assert len(in_vllm() or ()) > 50


def test_an_unknown_one_names_the_nearest_that_works() -> None:
    with pytest.raises(ModelRefused, match=r"LlammaForCausalLM.*transformers and vLLM.*LlamaForCausalLM"):
        require_known({"architectures": ["LlammaForCausalLM"]})
    only = sorted(in_transformers() - (in_vllm() or frozenset()))[0]
    with pytest.raises(ModelRefused, match=rf"{only} is unknown to the installed vLLM"):
        require_known({"architectures": [only]})


@pytest.mark.parametrize("value", [None, [], "LlamaForCausalLM", [3]])
def test_a_config_without_one_is_refused(value: object) -> None:
    with pytest.raises(ModelRefused, match="architectures"):
        require_known({"architectures": value})


def test_a_head_that_vllm_ties_stays_tied() -> None:
    assert unties("LlamaForCausalLM")
    assert not unties("Gemma2ForCausalLM")
