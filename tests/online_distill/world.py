"""Tiny models and samples for the trainer's tests: a teacher and students of two layers with the demo's tokenizer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from deploy.registry.manifest import Kind
from deploy.registry.store import Registry
from feedback.events import HardSample, sample_id
from online_distill import models
from online_distill.data.encoding import Encoder
from online_distill.role.config import TrainerConfig

TOKENIZER = Path(__file__).resolve().parents[2] / "demo" / "models" / "teacher"
FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")


def make_model(folder: Path, seed: int, layers: int = 1, width: int = 32) -> Path:
    """A random model that vocabulary, template and tokenizer of the demo fit."""
    folder.mkdir(parents=True, exist_ok=True)
    source = json.loads((TOKENIZER / "config.json").read_text())
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=source["vocab_size"], hidden_size=width, intermediate_size=2 * width, num_hidden_layers=layers,
            num_attention_heads=2, num_key_value_heads=2, head_dim=width // 2, max_position_embeddings=512,
            tie_word_embeddings=False, bos_token_id=source["bos_token_id"], eos_token_id=source["eos_token_id"],
            initializer_range=0.3,
        )
    )  # fmt: skip
    model.to(torch.bfloat16).save_pretrained(folder)
    for name in FILES:
        shutil.copyfile(TOKENIZER / name, folder / name)
    return folder


def register_model(registry: Registry, folder: Path, version: str, kind: Kind) -> None:
    """Put a folder into a registry without any history."""
    registry.register(folder, kind=kind, parent=None, teacher=None, round=None, lineage={}, metrics={}, version=version)


def make_samples(n: int, kind: str = "semantic", start: int = 0) -> list[HardSample]:
    """Hard samples, every second one Chinese, each with its own prompt."""
    found = []
    for i in range(start, start + n):
        zh = i % 2 == 1
        prompt = f"订单 {i} 什么时候到?" if zh else f"When does order {i} arrive?"
        teacher = f"订单 {i} 将于周五送达。" if zh else f"Order {i} arrives on Friday."
        found.append(
            HardSample(
                id=sample_id(f"x{i}", "v1"), session=f"s{i}", at=float(i), exchange=f"x{i}",
                messages=[{"role": "user", "content": prompt}], teacher_text=teacher,
                student_text="不知道。" if zh else "I do not know.", teacher="t1", student="v1",
                kinds=(kind,), lang="zh" if zh else "en",
            )
        )  # fmt: skip
    return found


def greedy(folder: Path, samples: list[HardSample], tokens: int = 6) -> list[HardSample]:
    """The samples with the greedy reply of a model in the place of the teacher's, cut after so many tokens."""
    encoder, model = Encoder(folder), models.load(folder)

    def reply(sample: HardSample) -> str:
        prompt = encoder.prompt(sample.messages)
        said = list(prompt)
        for _ in range(tokens):
            said.append(int(models.reply_logits(model, [[*said, 0]], [len(said)])[0][0].argmax()))
        return encoder.text(said[len(prompt) :])

    return [sample.model_copy(update={"teacher_text": reply(sample), "cut": True}) for sample in samples]


def quick_config(**changes: Any) -> TrainerConfig:
    """A recipe of a few steps on one CPU thread."""
    values: dict[str, Any] = {
        "budget_seconds": 30, "max_epochs": 4, "batch_tokens": 256, "warmup_steps": 1, "device": "cpu",
        "learning_rate": 3e-3, "holdout_share": 0.25, "checkpoint_seconds": 0.001, "min_steps": 1, "replan": False,
        "general_holdout_share": 0.25, "reserved_clusters": 0,
    }  # fmt: skip
    models.prepare(1)
    return TrainerConfig(**{**values, **changes})
