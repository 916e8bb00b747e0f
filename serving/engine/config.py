"""Section `engines`: engines that somebody else runs, or the settings of the three that agents run."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field, field_validator

from deploy.engines.external import ROLES, ExternalEngine
from deploy.routing.document import SLOTS, SlotName
from understudy.config import Section

Device = Literal["auto", "cpu", "cuda"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
PORTS: dict[SlotName, int] = {"teacher": 8100, "student-a": 8101, "student-b": 8102}


class EnginesConfig(Section):
    """Engines. Bytes and seconds throughout."""

    teacher: ExternalEngine | None = None
    """A teacher that somebody else runs; without one an agent runs the registry's."""
    student: ExternalEngine | None = None
    """A student that somebody else runs, which is not trained then; without one agents run the registry's."""
    embeddings: ExternalEngine | None = None
    """Answers /v1/embeddings, whatever `model` a client names; None: 404."""

    host: str = "127.0.0.1"
    """Address on which the engines of agents listen."""
    ports: dict[SlotName, int] = Field(default_factory=lambda: dict(PORTS))
    """Port of each slot's engine."""
    device: Device = "auto"
    """Where engines run; auto: a GPU where there is one."""
    dtype: Dtype = "auto"
    """auto: float32 on a CPU, the model's own elsewhere."""
    launcher: Literal["auto", "fork", "plain"] = "auto"
    """auto: the fork server where there is one and the device is a CPU, else a plain start."""
    fork_wait: float = Field(default=30.0, ge=0)
    """How long an agent waits for a fork server that is not there before it starts its engine plainly."""
    cpus: dict[SlotName, tuple[int, ...]] = Field(default_factory=dict)
    """Cores of each slot on a CPU machine; empty: teacher on the first half, students on the second."""
    kv_cache_bytes: int = Field(default=256 << 20, ge=1 << 20)
    """Key-value cache of each engine."""
    max_model_len: int = Field(default=1024, ge=16)
    """Longest prompt and reply together, in tokens."""
    max_num_seqs: int = Field(default=16, ge=1)
    """Requests that an engine works on at once."""
    max_num_batched_tokens: int = Field(default=128, ge=16)
    """Small batches keep the time to the first token short beside long prefills."""
    max_logprobs: int = Field(default=64, ge=1)
    """Most log-probabilities at a position that may be asked for; the trainer's `top_k` needs as many."""
    extra_args: dict[SlotName, tuple[str, ...]] = Field(default_factory=dict)
    """Further arguments of vLLM's API server, such as ["--tensor-parallel-size", "2"]."""
    start_deadline: float = Field(default=240.0, gt=0)
    """For an engine to start and answer."""
    drain_deadline: float = Field(default=120.0, gt=0)
    """For requests in flight to end before a load."""
    load_deadline: float = Field(default=60.0, gt=0)
    """For the weights of a version to be loaded into a running engine."""
    hang_deadline: float = Field(default=45.0, gt=0)
    """An engine that lives but does not answer for so long is restarted."""
    stop_grace: float = Field(default=5.0, gt=0)
    """Between SIGTERM and SIGKILL."""
    backoff_first: float = Field(default=1.0, gt=0)
    """Before an engine that ended is started again; doubles with each further end."""
    backoff_max: float = Field(default=30.0, gt=0)
    """Longest such wait."""
    bad_retry: float = Field(default=60.0, gt=0)
    """How long a version that failed is left alone before it is tried again."""

    @field_validator("ports")
    @classmethod
    def _ports(cls, value: dict[SlotName, int]) -> dict[SlotName, int]:
        missing = [slot for slot in SLOTS if slot not in value]
        if missing or len(set(value.values())) != len(value):
            raise ValueError(f"give a port of its own to each of {', '.join(SLOTS)}")
        return value

    @property
    def external(self) -> dict[str, ExternalEngine]:
        """Engines that somebody else runs, by role."""
        return {role: engine for role in ROLES if (engine := getattr(self, role)) is not None}

    @property
    def on_cpu(self) -> bool:
        """Whether engines run on the CPU."""
        return self.device == "cpu" or (self.device == "auto" and not os.path.exists("/dev/nvidiactl"))

    def url(self, slot: SlotName) -> str:
        """Address of a slot's engine."""
        return f"http://{self.host}:{self.ports[slot]}"


def served_model(slot: SlotName) -> str:
    """The name that the engine of `slot` answers to in a body's `model`: its arm."""
    return "teacher" if slot == "teacher" else "student"


def cores_of(slot: SlotName, config: EnginesConfig, cores: int) -> tuple[int, ...]:
    """Cores to which the engine of `slot` is bound, on a machine with `cores` of them."""
    if slot in config.cpus:
        return config.cpus[slot]
    half = max(1, cores // 2)
    mine = range(half) if slot == "teacher" else range(half if cores > 1 else 0, max(1, cores))
    return tuple(mine)
