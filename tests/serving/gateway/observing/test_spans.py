"""Spans as a real OpenTelemetry Collector gets them; without it what their attributes are called."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.gateway.observing.ledger import Finished
from serving.gateway.observing.opening import observed
from serving.gateway.observing.sampling import EngineCall
from serving.gateway.observing.spans import call_attributes, request_attributes, wanted
from tests.serving.gateway.conftest import Running, both, document
from tests.serving.gateway.upstream import Engine
from tests.waiting import eventually
from understudy.config import Config
from understudy.process.ports import bound
from understudy.state import StateDir

Serve = Callable[..., Running]
Make = Callable[..., Engine]
UNPACK = Path(__file__).resolve().parents[5] / "shared" / "bin" / "unpack"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
RECORD = Finished(10.0, 5.0, 1.0, "r", "/v1/chat/completions", 200, "complete", "default", "teacher", "t1", "auto",
                  "big", False, True, 0.2, 4, 6)  # fmt: skip
CALL = EngineCall(7, 4.1, "teacher", "t1", "big", "127.0.0.1", 9)


def otelcol(folder: Path) -> str | None:
    """The Collector: of PATH, else of ../shared/bin, unpacked into `folder`; None without one."""
    if found := shutil.which("otelcol"):
        return found
    if not os.access(UNPACK, os.X_OK):
        return None
    subprocess.run([str(UNPACK), str(folder)], capture_output=True, timeout=120, check=True)
    return str(folder / "otelcol")


@dataclass(frozen=True)
class Collector:
    """One that runs: where it listens, and the file that it writes."""

    url: str
    file: Path

    def spans(self) -> list[dict[str, Any]]:
        """Every span that it got, with its attributes as a mapping, and the resource's."""
        found = []
        for line in self.file.read_text().splitlines() if self.file.exists() else ():
            for resource in json.loads(line)["resourceSpans"]:
                about = plain(resource["resource"]["attributes"])
                for scope in resource["scopeSpans"]:
                    found += [
                        {**one, "attributes": plain(one.get("attributes", [])), "resource": about,
                         "schema": scope.get("schemaUrl", "")}
                        for one in scope["spans"]
                    ]  # fmt: skip
        return found


def plain(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in attributes}


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    program = otelcol(tmp_path / "tools")
    if program is None:
        pytest.skip("otelcol is neither in PATH nor in ../shared/bin")
    with bound("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    file = tmp_path / "spans.jsonl"
    config = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "exporters": {"file": {"path": str(file), "flush_interval": "200ms"}},
        "service": {
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["file"]}},
            "telemetry": {"metrics": {"level": "none"}},
        },
    }
    (tmp_path / "otelcol.yaml").write_text(yaml.safe_dump(config))
    with (tmp_path / "otelcol.log").open("wb") as log:
        process = subprocess.Popen([program, "--config", str(tmp_path / "otelcol.yaml")], stdout=log, stderr=log)
    try:
        eventually(lambda: listens(port), 60, "the Collector")
        yield Collector(f"http://127.0.0.1:{port}", file)
    finally:
        process.terminate()
        process.wait(90)


def listens(port: int) -> bool:
    try:
        bound("127.0.0.1", port).close()
    except OSError:
        return True
    return False


def test_a_sampled_request_is_a_span_of_ours_above_one_of_each_engine_that_was_asked(
    serve: Serve, engine: Make, collector: Collector, state_dir: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra `traces` is not installed")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    engines = both(engine)
    running = serve(document(engines, default={"teacher": 1.0}))
    traced = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    with observed(running.gateway, Config({"traces": {"share": 0}}), state_dir, "gateway-1"):
        running.client.chat("geheim", model="teacher", headers=traced)
        running.client.chat("geheim", model="teacher", headers={"traceparent": traced["traceparent"][:-1] + "0"})
        running.client.chat("geheim", model="teacher")
        engines["teacher"].stop()
        running.client.chat("geheim", headers=traced)
        eventually(lambda: len(collector.spans()) >= 5, 60, "five spans")
    spans = collector.spans()
    assert len(spans) == 5
    assert {one["traceId"] for one in spans} == {TRACE}
    servers = [one for one in spans if one["name"] == "POST /v1/chat/completions"]
    assert [one["parentSpanId"] for one in servers] == [PARENT, PARENT]
    first, second = servers
    below = [[one for one in spans if one["parentSpanId"] == above["spanId"]] for above in servers]
    assert [[one["name"] for one in calls] for calls in below] == [["chat teacher"], ["chat teacher", "chat student"]]
    sent = engines["teacher"].seen[0].headers["traceparent"]
    assert sent == f"00-{TRACE}-{below[0][0]['spanId']}-01", "our span is the engine's parent"
    assert [one["attributes"].get("error.type") for one in below[1]] == ["unreachable", None]
    assert first["attributes"]["http.response.status_code"] == "200"
    assert second["attributes"]["understudy.arm"] == "student"
    assert int(below[0][0]["attributes"]["gen_ai.usage.output_tokens"]) > 0
    for above, calls in zip(servers, below, strict=True):
        for one in calls:
            assert int(above["startTimeUnixNano"]) <= int(one["startTimeUnixNano"])
            assert int(one["startTimeUnixNano"]) <= int(one["endTimeUnixNano"]) <= int(above["endTimeUnixNano"])
    assert all(one["resource"]["service.name"] == "understudy-gateway" for one in spans)
    assert "geheim" not in collector.file.read_text()


def test_a_collector_that_is_away_costs_requests_nothing(
    serve: Serve, engine: Make, state_dir: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra `traces` is not installed")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    running = serve(document(both(engine)))
    with observed(running.gateway, Config({"traces": {"share": 1}}), state_dir, "gateway-1"):
        assert [running.client.chat(model="teacher")[0] for _ in range(5)] == [200] * 5
    assert running.gateway.sampler is not None
    assert running.gateway.sampler.counts["sampled"] == 5


def test_names_are_those_of_the_conventions() -> None:
    found = pytest.importorskip("opentelemetry.semconv._incubating.attributes.gen_ai_attributes")
    known = {value for name, value in vars(found).items() if name.startswith("GEN_AI_")}
    told = call_attributes(RECORD, CALL, True)
    assert {name for name in told if name.startswith("gen_ai.")} <= known
    assert told["gen_ai.usage.input_tokens"] == 4
    assert told["gen_ai.response.time_to_first_chunk"] == 0.2
    assert told["gen_ai.provider.name"] == "vllm"
    assert request_attributes(RECORD)["http.route"] == "/v1/chat/completions"


@pytest.mark.parametrize(("env", "asked"), [
    ({}, False),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
    ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
])  # fmt: skip
def test_the_standard_variables_say_whether(env: dict[str, str], asked: bool) -> None:
    assert wanted(env) is asked
