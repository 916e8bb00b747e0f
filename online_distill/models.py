"""Loading, running and writing causal language models; the only module that knows transformers' classes."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from understudy.errors import ConfigError, IntegrityError
from understudy.files import read_json, write_json
from understudy.process.cpu import BF16, cpu_flags

COMPANIONS = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
    "special_tokens_map.json",
)  # fmt: skip
"""Files that a student inherits from its parent unchanged."""


def prepare(threads: int) -> None:
    """Set the threads of this process, and ready the CPU's matrix units: some die of bf16 without it.

    What transformers warns of goes where this process logs, in its format.
    """
    torch.set_num_threads(threads)
    transformers_logging.disable_progress_bar()
    transformers_logging.disable_default_handler()
    transformers_logging.enable_propagation()
    ready = getattr(torch.cpu, "_init_amx", None)
    if ready is not None:
        ready()


def pick_device(choice: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device to compute on.

    Raises:
        ConfigError: `cuda` was asked for and there is none.
    """
    if choice == "cuda" and not torch.cuda.is_available():
        why = "`trainer.device` is cuda, but no GPU is usable here; set auto or cpu"
        raise ConfigError(why, param="trainer.device")
    return torch.device("cuda" if choice != "cpu" and torch.cuda.is_available() else "cpu")


def pick_numbers(device: torch.device) -> torch.dtype:
    """What forward and backward passes are computed in: bfloat16 where the device multiplies it, else float32.

    A CPU without such instructions takes 40 to 250 times as long for bfloat16 as for float32.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    return torch.bfloat16 if cpu_flags() & BF16 else torch.float32


def load(folder: Path, device: torch.device | None = None) -> Any:
    """The model of a folder in float32, without dropout.

    Raises:
        IntegrityError: the folder does not hold a model that can be read.
    """
    try:
        model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32)
    except (OSError, ValueError, RuntimeError) as error:
        raise IntegrityError(f"{folder} holds no readable model: {error}") from error
    return model.to(device or torch.device("cpu")).eval()


def vocabulary(folder: Path) -> int:
    """Entries of the vocabulary of a folder's model.

    Raises:
        IntegrityError: the folder does not hold the configuration of a model.
    """
    try:
        return int(AutoConfig.from_pretrained(str(folder)).get_text_config().vocab_size)
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{folder} holds no readable model: {error}") from error


def export(model: Any, parent: Path, folder: Path) -> None:
    """Write weights as bf16 safetensors, the head as a tensor of its own, and the parent's other files."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {**model.state_dict(), "lm_head.weight": model.get_output_embeddings().weight}
    stored = {name: value.detach().to("cpu", torch.bfloat16, copy=True).contiguous() for name, value in weights.items()}
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    for name in COMPANIONS:
        if (parent / name).is_file():
            shutil.copyfile(parent / name, folder / name)
    settings = read_json(folder / "config.json")
    write_json(folder / "config.json", {**settings, "tie_word_embeddings": False, "dtype": "bfloat16"})


def blend(model: Any, trained: dict[str, Tensor], share: float) -> None:
    """Move the model's weights towards `trained` ones by `share`, in place.

    The mean of the weights before and after fine-tuning keeps most of what was learned and nearly all of what
    was known (WiSE-FT, Wortsman et al. 2022, arXiv 2109.01903).
    """
    with torch.no_grad():
        for name, value in model.state_dict().items():
            value.lerp_(trained[name].to(value), share)


def as_stored(model: Any) -> None:
    """Round the weights to what `export` writes, in place."""
    with torch.no_grad():
        for value in model.state_dict().values():
            value.copy_(value.to(torch.bfloat16))


def finite(model: Any) -> bool:
    """Whether every weight is a number."""
    return all(bool(torch.isfinite(value).all()) for value in model.state_dict().values())


def pad(texts: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """Right-padded tokens (n, longest); the padding comes after, so causal attention never sees it."""
    longest = max(len(text) for text in texts)
    return torch.tensor([[*text, *[0] * (longest - len(text))] for text in texts], device=device)


def hidden_states(model: Any, tokens: Tensor) -> Tensor:
    """Last hidden states (n, length, d), before the head."""
    states: Tensor = model.get_decoder()(input_ids=tokens, use_cache=False).last_hidden_state
    return states


def layer_states(model: Any, tokens: Tensor) -> tuple[Tensor, ...]:
    """States (n, length, d) after each layer; the last are those before the head."""
    found = model.get_decoder()(input_ids=tokens, use_cache=False, output_hidden_states=True)
    states: tuple[Tensor, ...] = found.hidden_states[1:]
    return states


def reply_positions(spans: Sequence[tuple[int, int]], width: int) -> list[int]:
    """Flat indices, in a batch padded to `width`, of the states that predict tokens start..end-1 of each text."""
    return [row * width + at - 1 for row, (start, end) in enumerate(spans) for at in range(start, end)]


def reply_logits(model: Any, texts: Sequence[Sequence[int]], starts: Sequence[int]) -> list[Tensor]:
    """For each text the logits (tokens from its start on, V) that predict these tokens, without gradient."""
    device = next(model.parameters()).device
    spans = [(start, len(text)) for start, text in zip(starts, texts, strict=True)]
    with torch.inference_mode():
        tokens = pad(texts, device)
        states = hidden_states(model, tokens).flatten(0, 1)
        chosen = states[torch.tensor(reply_positions(spans, tokens.shape[1]), device=device)]
        logits = model.get_output_embeddings()(chosen).float()
    return list(logits.split([end - start for start, end in spans]))


def by_length(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Indices in batches of similar length, each at most `batch_tokens` when padded (one text at least)."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batch and lengths[index] * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def parameters(model: Any) -> int:
    """Number of weights."""
    return sum(math.prod(value.shape) for value in model.parameters())
