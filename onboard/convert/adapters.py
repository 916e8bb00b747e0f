"""A LoRA adapter merged into the model that it was trained on (Hu et al. 2021), by peft."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from onboard.refusal import ModelRefused
from onboard.source.files import SourceFiles
from onboard.source.settings import read_object, settings
from onboard.source.tensors import header, places
from onboard.write.streaming import Advance
from serving.engine.launch.obstacles import free_bytes

WEIGHTS = "adapter_model.safetensors"
BYTES_BY_WEIGHT = 8
"""Memory of the merge for each weight of the base: a float32 of it, and a layer's product beside it, with room."""


def base_of(path: Path, base: Path | None) -> Path:
    """The folder of the model that the adapter in `path` belongs to: the one given, else the one it names.

    Raises:
        ModelRefused: it is no folder here.
    """
    if base is None:
        try:
            base = Path(str(json.loads((path / "adapter_config.json").read_bytes())["base_model_name_or_path"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelRefused(f"{path}/adapter_config.json cannot be read ({error}): fetch it again") from None
    if not base.is_dir():
        raise ModelRefused(
            f"the adapter {path} belongs to {base}, which is no folder here, and nothing is downloaded: give "
            "the folder of that model by --base"
        )
    return base


def merge(adapter: SourceFiles, base: SourceFiles, out: Path, show: Callable[[str, int], Advance]) -> None:
    """Write the merged model to the folder `out`, in the type of its base, with the base's tokenizer.

    Raises:
        ModelRefused: no LoRA, a pickle, one of another model, or too little memory.
    """
    require_lora(adapter)
    own = settings(base)
    weights = sum(place.elements for place in places(base).values())
    if weights * BYTES_BY_WEIGHT > free_bytes():
        raise ModelRefused(
            f"merging takes about {weights * BYTES_BY_WEIGHT >> 20} MiB of memory, {free_bytes() >> 20} MiB are free"
        )
    done = show("merging", base.bytes)
    _merged(adapter, base, own, out)
    for name in base.stamps:
        if not name.endswith((".safetensors", ".index.json")) and name != "config.json":
            shutil.copyfile(base.folder / name, out / name)
    shutil.copyfile(base.folder / "config.json", out / "config.json")
    done(base.bytes)


def require_lora(adapter: SourceFiles) -> None:
    """Raises ModelRefused for another kind of adapter, or one kept as a pickle."""
    found = read_object(adapter, "adapter_config.json") or {}
    if str(found.get("peft_type", "")).upper() != "LORA":
        raise ModelRefused(f"{adapter.folder} is a {found.get('peft_type')} adapter: only LoRA can be merged")
    if not adapter.has(WEIGHTS):
        raise ModelRefused(f"{adapter.folder} holds no {WEIGHTS}; a pickle is never loaded: save it as safetensors")


def _merged(adapter: SourceFiles, base: SourceFiles, own: dict[str, Any], out: Path) -> None:
    import torch  # house: allow heavy-import, by its own library
    from peft import PeftModel, get_peft_model_state_dict
    from transformers import AutoModelForCausalLM  # house: allow heavy-import, by its own library

    try:
        model = AutoModelForCausalLM.from_pretrained(
            str(base.folder), dtype=torch.float32, trust_remote_code=False, use_safetensors=True
        )
        joined = PeftModel.from_pretrained(model, str(adapter.folder))
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise ModelRefused(f"the adapter {adapter.folder} does not fit {base.folder}: {error}") from None
    strange = header(adapter.folder / WEIGHTS).keys() - get_peft_model_state_dict(joined).keys()
    if strange:
        raise ModelRefused(
            f"the adapter holds {min(strange)}, which {base.folder} has no place for: give its own base by --base"
        )
    dtype = getattr(torch, str(own.get("dtype") or own.get("torch_dtype") or "float32").removeprefix("torch."))
    joined.merge_and_unload().to(dtype).save_pretrained(out, safe_serialization=True)
