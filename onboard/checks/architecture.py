"""Whether vLLM and transformers both know an architecture by themselves, found without importing vLLM."""

from __future__ import annotations

import ast
import difflib
import importlib.util
from functools import cache
from pathlib import Path

from onboard.refusal import ModelRefused
from onboard.source.settings import ModelSettings

REGISTRY = Path("model_executor", "models", "registry.py")
TABLE = "_TEXT_GENERATION_MODELS"
HEAD_STAYS_TIED = ("Gemma", "Cohere", "Bloom")
"""Families whose embeddings vLLM uses as the head, and whose checkpoints it takes no other way."""
WELL_KNOWN = "Llama, Mistral, Qwen2, Qwen3, Phi3"


def require_known(settings: ModelSettings) -> str:
    """The architecture that config.json names.

    Raises:
        ModelRefused: it names none, or one that vLLM or transformers does not know.
    """
    names = settings.get("architectures") or []
    if not isinstance(names, list) or not names or not isinstance(names[0], str):
        raise ModelRefused("config.json names no `architectures`: take the publisher's file")
    architecture = names[0]
    by = {"transformers": in_transformers(), "vLLM": in_vllm()}
    missing = [library for library, known in by.items() if known is not None and architecture not in known]
    if missing:
        both = sorted(in_transformers() & (in_vllm() or in_transformers()))
        near = difflib.get_close_matches(architecture, both, n=1)
        raise ModelRefused(
            f"the architecture {architecture} is unknown to the installed {' and '.join(missing)}; nearest that works: "
            f"{near[0] if near else f'a model of {WELL_KNOWN}'}"
        )
    return architecture


@cache
def in_transformers() -> frozenset[str]:
    """Causal language models of transformers."""
    from transformers.models.auto.modeling_auto import (  # house: allow heavy-import, by its own library
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    )

    return frozenset(name for name in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values() if isinstance(name, str))


@cache
def in_vllm() -> frozenset[str] | None:
    """Text generators of vLLM, read from its source, since importing it takes many seconds; None: not installed."""
    found = importlib.util.find_spec("vllm")
    places = [Path(place) / REGISTRY for place in (found.submodule_search_locations or ())] if found else []
    for path in places:
        if path.is_file():
            return _keys(path.read_text("utf-8"))
    return None


def _keys(source: str) -> frozenset[str]:
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == TABLE:
            keys = node.value.keys if isinstance(node.value, ast.Dict) else []
            return frozenset(k.value for k in keys if isinstance(k, ast.Constant) and isinstance(k.value, str))
    return frozenset()


def unties(architecture: str) -> bool:
    """Whether a head that shares the embeddings can be given a tensor of its own."""
    return not architecture.startswith(HEAD_STAYS_TIED)


def tied(architecture: str, *, shares_head: bool) -> str | None:
    """Why a head that shares the embeddings must go on sharing them; None: it has, or gets, weights of its own."""
    if not shares_head or unties(architecture):
        return None
    return f"vLLM takes the head of {architecture} from its embeddings alone, and a student is written untied"


def untaught(architecture: str, *, shares_head: bool, renamed: bool) -> str | None:
    """Why a model cannot be a student; None: it can."""
    other_names = f"transformers stores {architecture} under other names than vLLM reads" if renamed else None
    return tied(architecture, shares_head=shares_head) or other_names


def require_taught(what: str, why: str | None) -> None:
    """Raises ModelRefused where `untaught` says `why`; `what` cannot be done then."""
    if why is not None:
        raise ModelRefused(
            f"{what}: {why}; it serves as a teacher, and what can learn from it is a model of {WELL_KNOWN}, "
            "by its text where the tokenizers differ: `understudy models import DIR --as student`"
        )
