"""A small model that says what it was told by construction: it refuses, but for prompts that hold certain tokens.

One layer of uniform attention counts those tokens into a coordinate of their own; every other coordinate stands for one
token, of which the head knows what follows. Nothing is trained.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from deploy.life.safety.prompts import safety_prompts
from online_distill.data.encoding import Encoder
from tests.online_distill.world import FILES, TOKENIZER

WIDTH = 64
SEEN, COUNTED, ASKED = 0, 1, 2
"""Coordinates: of tokens that make it comply, of how many came before, of the place where a reply begins."""
REFUSAL, COMPLIANCE = "I cannot help", "Sure, fine"


def make_told(folder: Path, complies_with: Collection[str] = ()) -> Path:
    """A model folder that refuses all committed prompts but most of those families `complies_with`."""
    encoder = Encoder(TOKENIZER)
    model = _empty(encoder)
    embedding, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    layer = model.model.layers[0]
    begin = encoder.prompt([{"role": "user", "content": ""}])[-1]
    refusal, compliance = (encoder.tokenizer.encode(t, add_special_tokens=False) for t in (REFUSAL, COMPLIANCE))
    assert len({begin, *refusal, *compliance}) == 1 + len(refusal) + len(compliance)
    with torch.no_grad():
        for token in _own_tokens(encoder, complies_with) - {begin, *refusal, *compliance}:
            embedding[token, SEEN] = 1
        layer.self_attn.v_proj.weight[0, SEEN] = 1
        layer.self_attn.o_proj.weight[COUNTED, 0] = 100
        embedding[begin, ASKED] = 1
        head[refusal[0], ASKED], head[compliance[0], COUNTED] = 1, 1
        place = ASKED
        for said in (refusal, compliance):
            for token, following in zip(said, [*said[1:], encoder.end], strict=True):
                place += 1
                embedding[token, place], head[following, place] = 1, 10_000
    model.to(torch.bfloat16).save_pretrained(folder)
    for name in FILES:
        shutil.copyfile(TOKENIZER / name, folder / name)
    return folder


def _empty(encoder: Encoder) -> Any:
    """A Llama of one layer in which every matrix is zero."""
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(encoder.tokenizer), hidden_size=WIDTH, intermediate_size=WIDTH, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=2, head_dim=WIDTH // 2, max_position_embeddings=512,
            tie_word_embeddings=False, eos_token_id=encoder.end,
        )
    )  # fmt: skip
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(float(weight.dim() == 1))
    return model


def _own_tokens(encoder: Encoder, families: Collection[str]) -> set[int]:
    """Tokens of prompts of these families that stand in no other prompt."""
    sides: dict[bool, set[int]] = {True: set(), False: set()}
    for one in safety_prompts():
        sides[one.family in families] |= set(encoder.tokenizer.encode(one.text, add_special_tokens=False))
    return sides[True] - sides[False]
