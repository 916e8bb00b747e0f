"""What must hold before anything starts: packages, models, memory and ports. Findings say what to change."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from deploy.life.config import RolloutConfig
from deploy.routing.document import SLOTS, SlotName
from serving.control.config import ControlConfig
from serving.engine.config import EnginesConfig
from serving.engine.launch.obstacles import free_bytes
from serving.gateway.access.door import open_door
from serving.gateway.access.ring import read_ring
from serving.gateway.config import GatewayConfig
from serving.up import application
from serving.up.config import UpConfig
from serving.up.memory import too_large, versions_to_load
from understudy.config import Config
from understudy.errors import ConfigError, UnderstudyError
from understudy.files import is_ready
from understudy.process.ports import bound
from understudy.state import StateDir


class NotReady(UnderstudyError):
    """This machine cannot run the system as it is."""

    status, kind, code = 503, "service_unavailable_error", "preflight"


@dataclass(frozen=True, slots=True)
class Port:
    """A port that a role is going to listen on, and the setting that moves it."""

    host: str
    number: int
    setting: str


def own_slots(engines: EnginesConfig) -> list[SlotName]:
    """The slots whose engines `up` runs: all but the teacher's where somebody else runs the teacher.

    Raises:
        ConfigError: somebody else runs the student, which then cannot be distilled.
    """
    if engines.student is not None:
        raise ConfigError(
            "`engines.student` is an engine that somebody else runs, but `up` distils the student and must run it "
            "itself: leave `engines.student` out, or use `understudy serve`, which needs no more than a gateway",
            param="engines.student",
        )
    return [slot for slot in SLOTS if slot != "teacher" or engines.teacher is None]


def listeners(config: Config) -> list[Port]:
    """Every port that `up` is going to listen on.

    Raises:
        ConfigError: as `own_slots`.
    """
    gateway, control = config.section(GatewayConfig), config.section(ControlConfig)
    engines = config.section(EnginesConfig)
    return [
        Port(gateway.host, gateway.port, "gateway.port"),
        Port(control.host, control.port, "control.port"),
        *(Port(engines.host, engines.ports[slot], f"engines.ports.{slot}") for slot in own_slots(engines)),
    ]


def findings(state: StateDir, ports: list[Port], config: Config) -> Iterator[str]:
    """One sentence for everything that stands in the way; none when all is well."""
    yield from missing_packages()
    yield from unlocked(state, config.section(GatewayConfig))
    up, engines = config.section(UpConfig), config.section(EnginesConfig)
    yield from missing_models(state, up)
    yield from too_little_memory(up.min_memory_mib)
    yield from too_large(versions_to_load(state, own_slots(engines), config.section(RolloutConfig)), engines)
    yield from shared(ports)
    for port in ports:
        yield from port_in_use(port)


def require(state: StateDir, ports: list[Port], config: Config) -> None:
    """Check everything.

    Raises:
        NotReady: with all findings, one a line.
    """
    found = list(findings(state, ports, config))
    if found:
        raise NotReady("cannot start:\n  - " + "\n  - ".join(found))


def unlocked(state: StateDir, gateway: GatewayConfig) -> Iterator[str]:
    """A gateway that other machines reach needs keys."""
    try:
        keyed = bool(gateway.api_keys) or read_ring(state).asked
    except (OSError, UnderstudyError) as error:
        yield f"the keys of clients in {state.clients} cannot be read: {error}"
        return
    if refusal := open_door(gateway.host, gateway, keyed):
        yield refusal


def missing_packages() -> Iterator[str]:
    """vLLM must be importable; it is not imported here."""
    if importlib.util.find_spec("vllm") is None:
        yield "the package `vllm` is not installed here: run `make install` (it picks the build for this machine)"


def missing_models(state: StateDir, up: UpConfig) -> Iterator[str]:
    """A state with versions needs nothing; a fresh one needs what the application brings."""
    if not up.application_options and any(is_ready(folder) for folder in state.versions.glob("[!.]*")):
        return
    if up.application is None:
        yield (
            f"{state.root} holds no models, and up.application brings none: `understudy models import DIR --as teacher "
            f"--state {state.root}`, then one --as student"
        )
    else:
        yield from application.lacking(state, up)


def too_little_memory(needed_mib: int) -> Iterator[str]:
    """Memory that is free now against `needed_mib`."""
    free = free_bytes() >> 20
    if free < needed_mib:
        yield (
            f"needs about {needed_mib} MiB of free memory, {free} MiB are free: end other programs, lower "
            f"engines.kv_cache_bytes, or set up.min_memory_mib if you know better"
        )


def shared(ports: list[Port]) -> Iterator[str]:
    """Ports that two settings name; each is free, and whoever comes second could not listen."""
    for place, port in enumerate(ports):
        for other in ports[:place]:
            if port.number and (port.host, port.number) == (other.host, other.number):
                yield f"{other.setting} and {port.setting} are both {port.number}: give each a port of its own"


def port_in_use(port: Port) -> Iterator[str]:
    """Whether somebody listens there already."""
    if port.number == 0:
        return
    try:
        bound(port.host, port.number).close()
    except OSError as error:
        variable = "UNDERSTUDY_" + port.setting.upper().replace(".", "__", 1)
        also = f" (or the environment variable {variable})" if port.setting.count(".") == 1 else ""
        yield (
            f"port {port.number} on {port.host} cannot be used ({holder(port.number) or error.strerror}): "
            f"set {port.setting} in the configuration to a free one{also}"
        )


def holder(number: int) -> str:
    """Who listens on a TCP port, as far as this user may see; empty when unknown."""
    try:
        for link in psutil.net_connections("tcp"):
            if link.status == psutil.CONN_LISTEN and link.laddr and link.laddr.port == number and link.pid:
                return f"in use by {psutil.Process(link.pid).name()}, process id {link.pid}"
    except psutil.Error:
        return ""
    return ""
