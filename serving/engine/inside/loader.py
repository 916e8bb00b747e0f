"""Runs inside vLLM's worker process: loads a version's weights into the running model.

`--worker-extension-cls serving.engine.inside.loader.InPlaceLoader`. Everything is read and checked before
the first byte of the model is written, so a version that is refused leaves the model as it was.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch  # house: allow heavy-import, runs inside the engine process

from deploy.engines.names import HASHES_VARIABLE
from serving.engine.inside.hashed import read_hashed
from serving.engine.inside.layout import LayoutError, Tensor, check_same, read_layout, weight_files

DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8,
    "BOOL": torch.bool, "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
}  # fmt: skip
"""Types as safetensors names them."""


def allow_amx() -> None:
    """Ask the kernel for AMX tiles; without it bf16 ends in an illegal instruction on some CPUs."""
    ask = getattr(torch.cpu, "_init_amx", None)
    if ask is not None:
        ask()


allow_amx()


class InPlaceLoader:
    """Mixed into vLLM's worker, whose `model_runner` it uses; called through `collective_rpc`."""

    model_runner: Any
    understudy_layout: dict[str, Tensor] | None = None

    def understudy_load(self, path: str, hashes: dict[str, str] | None = None) -> dict[str, Any]:
        """Replace the model's weights by those in the folder `path`, whose files have the SHA-256 in `hashes`.

        Returns ok, seconds, bytes (resident memory of this process); or ok False, error, and damaged:
        whether the model may be half-written, after which the engine must be restarted.
        """
        began = time.perf_counter()
        writing = False
        try:
            self._understudy_check(Path(path), hashes or {})
            writing = True
            self.model_runner.reload_weights(weights_iterator=weights(weight_files(Path(path)), hashes or {}))
            repack_tied_head(self.model_runner.get_model())
        except LayoutError as error:
            return {"ok": False, "damaged": writing, "error": error.message}
        except Exception as error:
            # Whatever vLLM raises must reach the agent as an answer: an exception would end the engine core.
            return {"ok": False, "damaged": writing, "error": f"{type(error).__name__}: {error}"}
        give_back_memory()
        return {"ok": True, "seconds": time.perf_counter() - began, "bytes": resident_bytes()}

    def _understudy_check(self, folder: Path, hashes: dict[str, str]) -> None:
        """Compare names, shapes, hashes and finiteness of all tensors of `folder`, one at a time.

        They are read again, and hashed again, when they are loaded, so that memory holds one tensor and not the model.

        Raises:
            LayoutError: the folder does not fit the model, or holds a value that is no number.
        """
        if self.understudy_layout is None:
            started_with = Path(self.model_runner.vllm_config.model_config.model)
            self.understudy_layout = read_layout(started_with)
        check_same(self.understudy_layout, read_layout(folder))
        for name, tensor in weights(weight_files(folder), hashes):
            if not bool(torch.isfinite(tensor).all()):
                raise LayoutError(f"{name} holds values that are no finite numbers")


def weights(files: list[Path], hashes: Mapping[str, str]) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor of `files`; see `read_hashed`."""
    for path in files:
        for name, told, data in read_hashed(path, hashes):
            if told.dtype not in DTYPES:
                raise LayoutError(f"{name} has the type {told.dtype}, which is not known here")
            flat = torch.frombuffer(data, dtype=DTYPES[told.dtype]) if data else torch.empty(0)
            yield name, flat.to(DTYPES[told.dtype]).reshape(told.shape)


def hash_at_start() -> None:
    """Have vLLM read the weights of its start through `weights` too, where the agent says what their hashes are."""
    module = "vllm.model_executor.model_loader.default_loader"
    if HASHES_VARIABLE in os.environ:  # a plain start, in which vLLM will import it anyhow
        importlib.import_module(module)
    loader = sys.modules.get(module)
    original = getattr(loader, "safetensors_weights_iterator", None)
    if loader is None or original is None or hasattr(original, "understudy"):
        return

    def hashed(files: list[str], *given: Any, **more: Any) -> Iterator[tuple[str, torch.Tensor]]:
        hashes = json.loads(os.environ.get(HASHES_VARIABLE) or "{}")
        if not hashes or more.get("local_expert_ids") is not None:
            yield from original(files, *given, **more)
        else:
            yield from weights(sorted(map(Path, files)), hashes)

    hashed.understudy = True  # type: ignore[attr-defined]
    loader.safetensors_weights_iterator = hashed  # type: ignore[attr-defined]


hash_at_start()


def repack_tied_head(model: Any) -> None:
    """On a CPU the output layer keeps a packed copy of tied embeddings, which a reload leaves stale."""
    head = getattr(model, "lm_head", None)
    config = getattr(model, "config", None)
    if head is None or not getattr(config, "tie_word_embeddings", False) or not hasattr(head, "cpu_linear"):
        return
    head.weight = model.model.embed_tokens.weight
    head.quant_method.process_weights_after_loading(head)


def give_back_memory() -> None:
    """Return freed pages to the system; without it each load leaves about 2 MB behind."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def resident_bytes() -> int:
    """Resident memory of this process."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096
