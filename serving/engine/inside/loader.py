"""Runs inside vLLM's worker process: loads a version's weights into the running model.

`--worker-extension-cls serving.engine.inside.loader.InPlaceLoader`. Everything is read and checked before
the first byte of the model is written, so a version that is refused leaves the model as it was.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import time
from pathlib import Path
from typing import Any

import torch  # house: allow heavy-import, runs inside the engine process
from safetensors import safe_open

from serving.engine.inside.layout import LayoutError, Tensor, check_same, read_layout, weight_files


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

    def understudy_load(self, path: str) -> dict[str, Any]:
        """Replace the model's weights by those in the folder `path`.

        Returns ok, seconds, bytes (resident memory of this process); or ok False, error, and damaged:
        whether the model may be half-written, after which the engine must be restarted.
        """
        began = time.perf_counter()
        writing = False
        try:
            weights = self._understudy_read(Path(path))
            writing = True
            self.model_runner.reload_weights(weights_iterator=iter(weights))
            repack_tied_head(self.model_runner.get_model())
        except LayoutError as error:
            return {"ok": False, "damaged": writing, "error": error.message}
        except Exception as error:
            # Whatever vLLM raises must reach the agent as an answer: an exception would end the engine core.
            return {"ok": False, "damaged": writing, "error": f"{type(error).__name__}: {error}"}
        del weights
        give_back_memory()
        return {"ok": True, "seconds": time.perf_counter() - began, "bytes": resident_bytes()}

    def _understudy_read(self, folder: Path) -> list[tuple[str, torch.Tensor]]:
        """All tensors of `folder`, after comparing names, shapes and finiteness.

        Raises:
            LayoutError: the folder does not fit the model, or holds a value that is no number.
        """
        if self.understudy_layout is None:
            started_with = Path(self.model_runner.vllm_config.model_config.model)
            self.understudy_layout = read_layout(started_with)
        check_same(self.understudy_layout, read_layout(folder))
        weights = []
        for path in weight_files(folder):
            with safe_open(path, "pt") as file:
                for name in file.keys():  # noqa: SIM118 - not a dict
                    tensor = file.get_tensor(name)
                    if not bool(torch.isfinite(tensor).all()):
                        raise LayoutError(f"{name} holds values that are no finite numbers")
                    weights.append((name, tensor))
        return weights


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
