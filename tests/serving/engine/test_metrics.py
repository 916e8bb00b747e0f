"""What the agent of a slot tells, before it has an engine and with one."""

from __future__ import annotations

from deploy.routing.stores import open_routing
from serving.engine.main import build
from serving.engine.metrics import show_agent
from tests.packaging.scraping import promtool_says, without
from understudy.config import Config
from understudy.state import StateDir
from understudy.telemetry.metrics import MetricsPage


def test_every_metric_of_the_table_is_on_the_page_and_promtool_has_nothing_to_say(state_dir: StateDir) -> None:
    agent, page = build("student-a", state_dir, Config({}), open_routing(state_dir, "", "us:")), MetricsPage("engine")
    show_agent(page, "student-a", agent)
    assert without(page.render(), "Every role", "Agent of a slot") == set()
    agent.loaded = "v1"
    agent.facts.update(load_seconds=2.5, memory_bytes=1 << 30, fingerprint=0.001)
    told = page.render()
    assert 'understudy_engine_resident_bytes{slot="student-a"} 1.073741824e+09' in told
    assert "understudy_unread_metrics 0.0" in told
    assert promtool_says(told) == ""
