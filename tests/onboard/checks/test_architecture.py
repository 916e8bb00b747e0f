"""Which architectures both libraries know, against what vLLM itself says."""

from __future__ import annotations

import pytest

from onboard.checks.architecture import in_transformers, in_vllm, require_known, require_taught, tied, untaught, unties
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


@pytest.mark.parametrize(("name", "shares_head", "renamed", "why"), [
    ("LlamaForCausalLM", True, False, None),
    ("GemmaForCausalLM", False, False, None),
    ("GemmaForCausalLM", True, False, "the head of GemmaForCausalLM"),
    ("BloomForCausalLM", True, True, "the head of BloomForCausalLM"),
    ("MixtralForCausalLM", False, True, "under other names"),
])  # fmt: skip
def test_what_cannot_be_taught_says_why(name: str, shares_head: bool, renamed: bool, why: str | None) -> None:
    found = untaught(name, shares_head=shares_head, renamed=renamed)
    assert (found is None) is (why is None)
    assert (tied(name, shares_head=shares_head) is None) is (why is None or "head" not in why)
    require_taught("nothing is in the way", None)
    if found is not None and why is not None:
        with pytest.raises(ModelRefused, match=rf"^it cannot be done: .*{why}.*models import DIR --as student"):
            require_taught("it cannot be done", found)
