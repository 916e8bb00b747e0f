"""The metrics of a slot's agent: the state of its engine, what it has served, and what its loads cost."""

from __future__ import annotations

from collections.abc import Iterable

from deploy.routing.document import SlotName
from serving.engine.agent import Agent
from serving.engine.slot import State
from understudy.telemetry.metrics import Metric, MetricsPage

STATE = Metric("understudy_agent_state", "gauge", "1 for the state that the slot's machine is in.", ("slot", "state"))
VERSION = Metric("understudy_engine_version_info", "gauge", "Always 1; the version that the engine holds.",
                 ("slot", "version"))  # fmt: skip
DEEDS = Metric("understudy_agent_deeds_total", "counter", "Engines started, versions loaded in place, engines of a"
               " former agent taken over, engines given up.", ("slot", "deed"))  # fmt: skip
LOAD = Metric("understudy_engine_load_seconds", "gauge", "Seconds that the last load or start took.", ("slot",))
MEMORY = Metric("understudy_engine_resident_bytes", "gauge", "Memory of the engine's processes.", ("slot",))
DIFFERENCE = Metric("understudy_engine_fingerprint_nats", "gauge", "Largest difference of log-probabilities that the"
                    " last check found.", ("slot",))  # fmt: skip
BAD = Metric(
    "understudy_engine_bad_versions", "gauge", "Versions that could not be loaded or verified here.", ("slot",)
)
METRICS = (STATE, VERSION, DEEDS, LOAD, MEMORY, DIFFERENCE, BAD)
FACTS = {LOAD: "load_seconds", MEMORY: "memory_bytes", DIFFERENCE: "fingerprint"}


def show_agent(page: MetricsPage, slot: SlotName, agent: Agent) -> None:
    """Put an agent's metrics on a page."""

    def fact(name: str) -> Iterable[tuple[str, float]]:
        value = agent.facts.get(name)
        return [] if value is None else [(slot, float(value))]

    page.add(STATE, lambda: [((slot, state.value), float(state is agent.state)) for state in State])
    page.add(VERSION, lambda: [((slot, agent.loaded), 1.0)] if agent.loaded else [])
    page.add(DEEDS, lambda: [((slot, deed), n) for deed, n in agent.counts.items()])
    page.add(BAD, lambda: [(slot, len(agent.bad))])
    for metric, name in FACTS.items():
        page.add(metric, lambda name=name: fact(name))  # type: ignore[misc]
