"""What config.json says of a model, read without running any of its code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from onboard.refusal import ModelRefused
from onboard.source.files import SourceFiles

ModelSettings = dict[str, Any]


def settings(source: SourceFiles) -> ModelSettings:
    """The content of config.json.

    Raises:
        ModelRefused: it is missing or no JSON object, asks for code of its own, or its weights are packed.
    """
    found = read_object(source, "config.json")
    if found is None:
        raise ModelRefused(f"{source.folder} holds no config.json: give the folder of a model, or a .gguf file")
    for name, value in (
        ("config.json", found),
        ("tokenizer_config.json", read_object(source, "tokenizer_config.json")),
    ):
        if value and value.get("auto_map"):
            raise ModelRefused(
                f"{source.folder / name} asks for code that came with the model (`auto_map`), which is never run: "
                "take a model of an architecture that vLLM and transformers know by themselves, or where they do "
                "know it, remove `auto_map` from a copy of the folder"
            )
    if found.get("quantization_config"):
        kind = found["quantization_config"].get("quant_method", "unknown")
        raise ModelRefused(
            f"the weights of {source.folder} are packed ({kind}), and a student learns in floating point: "
            "take the publisher's folder in bf16, or a .gguf, which is dequantised"
        )
    return found


def read_object(source: SourceFiles, name: str) -> ModelSettings | None:
    """The JSON object in a file of the folder; None where there is no such file.

    Raises:
        ModelRefused: the file holds something else.
    """
    if not source.has(name):
        return None
    try:
        value = json.loads((source.folder / name).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelRefused(f"{source.folder / name} is no JSON ({error}): fetch it again") from None
    if not isinstance(value, dict):
        raise ModelRefused(f"{source.folder / name} is no JSON object: fetch it again")
    return value


def text(settings: ModelSettings) -> ModelSettings:
    """The part that describes the language model, where there are several."""
    inner = settings.get("text_config")
    return inner if isinstance(inner, dict) else settings


def template_of(source: SourceFiles, override: Path | None = None) -> str | None:
    """The chat template: of the file `override`, or wherever the folder keeps it; None where it has none."""
    if override is not None:
        return template_file(override)
    if source.has("chat_template.jinja"):
        return (source.folder / "chat_template.jinja").read_text("utf-8")
    for name in ("chat_template.json", "tokenizer_config.json"):
        value = (read_object(source, name) or {}).get("chat_template")
        if isinstance(value, list):  # several by name
            value = next((row.get("template") for row in value if row.get("name") == "default"), None)
        if isinstance(value, str):
            return value
    return None


def template_file(path: Path) -> str:
    """The chat template in a file of one's own.

    Raises:
        ModelRefused: it cannot be read.
    """
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelRefused(f"the template {path} cannot be read: {error}") from None
