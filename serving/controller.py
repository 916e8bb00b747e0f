"""`understudy controller`: one leader that gates, canaries, promotes and rolls back, and its control plane."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import threading
from pathlib import Path
from types import FrameType

import uvicorn

from deploy.control.conductor import TICK, Conductor
from deploy.control.keeper import LeaseKeeper
from deploy.control.lease import Lease
from deploy.control.retention import PruneSums
from deploy.control.steps import ControlStep
from deploy.life.config import GateConfig, RolloutConfig
from deploy.life.deployment import Deployment
from deploy.life.document import Settings
from deploy.life.harm import check
from deploy.registry.config import RegistryConfig
from deploy.routing.document import RouterConfig, ShadowRates
from deploy.routing.stores import open_routing
from feedback.kpis.config import KpisConfig
from feedback.shadow.config import ShadowConfig
from feedback.store.config import RedisConfig
from feedback.store.connection import find_redis
from serving.control.app import create_app
from serving.control.config import ControlConfig
from serving.control.sources import Sources
from serving.control.token import admin_token
from serving.engine.config import EnginesConfig
from serving.teacher_watch import TeacherWatch
from understudy import logs
from understudy.clock import monotonic
from understudy.config import Config, load_config
from understudy.errors import ConfigError, Conflict, UnderstudyError
from understudy.files import write_json
from understudy.process.ports import bound, reached
from understudy.state import DEFAULT_STATE, StateDir
from understudy.telemetry.door import metrics_door
from understudy.telemetry.targets import told

log = logging.getLogger("understudy.controller")
DAY = 86_400.0
WAIT = 0.5
"""Seconds between two tries to become the leader."""
REFRESH = 1.0
"""Seconds between two looks at what Redis holds."""


def main(argv: list[str]) -> int:
    """Entry point; runs until SIGTERM or SIGINT (0), or until another one leads (1)."""
    options = parser().parse_args(argv)
    logs.set_up()
    config = load_config(options.config)
    state = StateDir(options.state)
    stop = threading.Event()
    install_signals(stop)
    redis = find_redis(config, state)
    lease = Lease(state, redis.url, redis.prefix)
    if not wait_to_lead(lease, stop):
        return 0
    try:
        return lead(config, state, redis, lease, stop)
    finally:
        lease.release()


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    made = argparse.ArgumentParser(
        prog="understudy controller",
        description="Lead: decide on candidates, write the routing document, serve the control plane.",
        epilog="example: understudy controller --state .understudy",
    )
    made.add_argument("--config", type=Path, help="the YAML file (default: built-in defaults)")
    made.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: .understudy)")
    made.add_argument("--json", action="store_true", help="accepted for symmetry with other commands")
    return made


def install_signals(stop: threading.Event) -> None:
    """SIGTERM and SIGINT set `stop`."""

    def end(_: int, __: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)


def wait_to_lead(lease: Lease, stop: threading.Event) -> bool:
    """Wait until this process is the leader; False when told to stop before."""
    said = False
    while not stop.is_set():
        if lease.acquire():
            return True
        if not said:
            log.info("another controller leads; waiting")
            said = True
        stop.wait(WAIT)
    return False


def build(config: Config, state: StateDir, redis: RedisConfig) -> tuple[Conductor, Sources]:
    """Conductor and sources over a state directory."""
    sources = Sources(config, redis, state)
    shadow, engines = config.section(ShadowConfig), config.section(EnginesConfig)
    settings = Settings(
        router=config.section(RouterConfig),
        rollout=config.section(RolloutConfig),
        shadow=ShadowRates(to_student=shadow.to_student, to_teacher=shadow.to_teacher),
        teacher=engines.teacher.slot if engines.teacher else None,
        registry=config.section(RegistryConfig),
        kpis=config.section(KpisConfig),
        student=engines.student.slot if engines.student else None,
    )
    check(settings.rollout, settings.kpis)
    deployment = Deployment(state, settings, sources.stats, evidence=sources)
    routing = open_routing(state, redis.url, redis.prefix)
    late = config.section(KpisConfig).late_days * DAY
    further: tuple[ControlStep, ...] = (PruneSums(sources.forget_versions, late),)
    if engines.teacher:
        further = (*further, TeacherWatch(engines.teacher, state, sources.spending))
    return Conductor(deployment, routing, config.section(GateConfig), further=further), sources


def lead(config: Config, state: StateDir, redis: RedisConfig, lease: Lease, stop: threading.Event) -> int:
    """Serve the control plane while ticking; returns the exit code."""
    control = config.section(ControlConfig)
    listener = None if lease.after_hung else listen(control)
    conductor, sources = build(config, state, redis)
    keeper = LeaseKeeper(lease)
    keeper.start()
    app = create_app(conductor, sources, admin_token(state), metrics_door(state))
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_config=None, log_level="warning", access_log=False, timeout_graceful_shutdown=2, lifespan="off"
        )
    )
    codes: list[int] = []
    ticked = threading.Event()

    def work() -> None:
        try:
            codes.append(loop(conductor, lease, keeper, stop, ticked))
        finally:
            conductor.context.stopping.set()
            server.should_exit = True

    worker = threading.Thread(target=work, name="conductor", daemon=True)
    worker.start()
    ticked.wait(5)  # so that nobody is shown a document from before a restart
    listener = listener or listen_late(control, stop)
    url = reached(control.host, listener.getsockname()[1])
    log.info("leading; control plane at %s", url)
    try:
        write_json(state.control, {"url": url, "pid": os.getpid()})
    except OSError as error:
        log.warning("commands have to be told by UNDERSTUDY_ADMIN_URL where this is: %s", error)
    try:
        with listener, told(state, "controller", url):
            server.config.load()
            _serve(server, listener, stop)
    finally:
        state.control.unlink(missing_ok=True)
    stop.set()
    worker.join(3)
    keeper.close()
    return codes[0] if codes else 1


def _serve(server: uvicorn.Server, listener: socket.socket, stop: threading.Event) -> None:
    """Run uvicorn until a signal, which it hands on to our handler, or until `stop`."""

    def watch() -> None:
        stop.wait()
        server.should_exit = True

    threading.Thread(target=watch, name="stop", daemon=True).start()
    server.run(sockets=[listener])


def listen(control: ControlConfig) -> socket.socket:
    """The listening socket.

    Raises:
        ConfigError: the port is taken; the message names the setting.
    """
    try:
        listener = bound(control.host, control.port)
        listener.listen(128)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {control.host}:{control.port} ({error.strerror}); change control.port",
            param="control.port",
        ) from None
    return listener


def listen_late(control: ControlConfig, stop: threading.Event) -> socket.socket:
    """The listening socket, as soon as the leader that hangs, or whoever has the port, lets go of it.

    Until then decisions are made and nobody can be answered. Once `stop` is set it is any port.
    """
    said = False
    while not stop.is_set():
        try:
            return listen(control)
        except ConfigError as error:
            if not said:
                log.error("leading without a control plane until its port is free: %s", error.message)
            said = True
        stop.wait(WAIT)
    return bound(control.host, 0)


def loop(
    conductor: Conductor, lease: Lease, keeper: LeaseKeeper, stop: threading.Event, ticked: threading.Event
) -> int:
    """Tick until told to stop (0) or somebody else leads (1). An error is logged and the loop goes on."""
    refreshed, said, fence = -REFRESH, "", -1
    while not stop.is_set():
        if not keeper.alive():
            log.error("another controller leads; ending")
            return 1
        try:
            if fence != lease.fence:
                conductor.lead(lease.fence, keeper.alive)
                fence = lease.fence
            if monotonic() - refreshed >= REFRESH:
                refreshed = monotonic()
                conductor.routing.documents.refresh(fence)
            conductor.tick()
            said = ""
        except (UnderstudyError, OSError) as error:
            level = logging.WARNING if isinstance(error, Conflict) else logging.ERROR
            if str(error) != said:
                log.log(level, "tick: %s", error)
            said = str(error)
        ticked.set()
        stop.wait(TICK)
    return 0
