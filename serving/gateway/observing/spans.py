"""Spans of sampled requests: our own, and one for each engine that was asked, by the conventions for generative AI.

The ids were given on the request path, since the engine had to know its parent; the SDK is called here, in the ledger's
thread. No message, prompt or completion is ever an attribute.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from deploy.routing.document import EXTERNAL
from serving.gateway.observing.ledger import Finished
from serving.gateway.observing.sampling import EngineCall, Trace
from understudy import __version__

log = logging.getLogger("understudy.gateway")

CONVENTIONS = "https://opentelemetry.io/schemas/1.41.0"
"""Semantic conventions whose names are used, `gen_ai.*` among them."""
OPERATIONS = {"/v1/chat/completions": "chat", "/v1/completions": "text_completion"}
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
CLOSE_SECONDS = 2.0
"""For what waits to be exported when the gateway ends."""


def wanted(env: Mapping[str, str] = os.environ) -> bool:
    """Whether the standard variables ask for traces to be exported."""
    off = env.get("OTEL_SDK_DISABLED", "").lower() == "true" or env.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp"
    return not off and any(env.get(name) for name in ENDPOINTS)


def open_spans() -> Spans | None:
    """Spans as the standard variables say; None, said in the log, where the extra `traces` is not installed."""
    try:
        return Spans(_exporter())
    except ImportError as error:
        log.warning("no spans are made: %s; install the extra `traces`", error)
        return None


def _exporter() -> Any:
    """The exporter of `OTEL_EXPORTER_OTLP_PROTOCOL`; it reads endpoint, headers and the rest from variables itself."""
    general = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    if os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", general) == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc

        return OverGrpc()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp

    return OverHttp()


class Spans:
    """A sink of the ledger that hands the spans of sampled requests to an exporter of the SDK."""

    def __init__(self, exporter: Any) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import IdGenerator
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON

        spans = self
        self._ids = (0, 0)

        class Given(IdGenerator):
            """The ids that the request path gave."""

            def generate_trace_id(self) -> int:
                return spans._ids[0]

            def generate_span_id(self) -> int:
                return spans._ids[1]

        named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        told = {"service.version": __version__, **({} if named else {"service.name": "understudy-gateway"})}
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, id_generator=Given(), resource=Resource.create(told), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("understudy.gateway", __version__, CONVENTIONS)

    def __call__(self, records: Sequence[Finished]) -> None:
        """Make the spans of those of `records` that were sampled."""
        for record in records:
            if record.trace is not None and record.trace.sampled:
                self._tell(record, record.trace)

    def close(self) -> None:
        """Export what waits, for `CLOSE_SECONDS` at most."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)

    def _tell(self, record: Finished, trace: Trace) -> None:
        from opentelemetry.trace import SpanKind

        began = record.ended - record.seconds
        attributes = request_attributes(record)
        self._span(record, trace, trace.span, trace.parent, f"POST {record.path}", SpanKind.SERVER, began,
                   record.ended, attributes)  # fmt: skip
        for call in trace.calls:
            last = call is trace.calls[-1]
            self._span(record, trace, call.span, trace.span, f"{OPERATIONS[record.path]} {call.model}",
                       SpanKind.CLIENT, call.began, call.ended or record.ended,
                       call_attributes(record, call, last))  # fmt: skip

    def _span(
        self, record: Finished, trace: Trace, span: int, parent: int, name: str, kind: Any, began: float, ended: float,
        attributes: dict[str, Any],
    ) -> None:  # fmt: skip
        from opentelemetry.context import Context
        from opentelemetry.trace import (
            NonRecordingSpan,
            SpanContext,
            Status,
            StatusCode,
            TraceFlags,
            set_span_in_context,
        )

        self._ids = (trace.trace, span)
        above = Context()
        if parent:
            place = SpanContext(trace.trace, parent, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
            above = set_span_in_context(NonRecordingSpan(place), above)
        made = self._tracer.start_span(
            name, context=above, kind=kind, attributes=attributes, start_time=_nanoseconds(record, began)
        )
        if "error.type" in attributes:
            made.set_status(Status(StatusCode.ERROR))
        made.end(_nanoseconds(record, ended))


def request_attributes(record: Finished) -> dict[str, Any]:
    """Attributes of our own span."""
    told: dict[str, Any] = {
        "http.request.method": "POST", "http.route": record.path, "url.path": record.path,
        "http.response.status_code": record.status, "understudy.request": record.request,
        "understudy.outcome": record.outcome,
    }  # fmt: skip
    if record.arm:
        told |= {"understudy.arm": record.arm, "understudy.version": record.version}
    if record.status >= 500:
        told["error.type"] = str(record.status)
    return told


def call_attributes(record: Finished, call: EngineCall, last: bool) -> dict[str, Any]:
    """Attributes of the span of an engine that was asked; of the `last` one, what its reply told."""
    told: dict[str, Any] = {
        "gen_ai.operation.name": OPERATIONS[record.path], "gen_ai.request.model": call.model,
        "gen_ai.provider.name": "openai" if call.version == EXTERNAL else "vllm",
        "gen_ai.request.stream": record.stream, "server.address": call.host, "server.port": call.port,
        "understudy.arm": call.arm, "understudy.version": call.version,
    }  # fmt: skip
    if call.failed:
        return {**told, "error.type": call.failed}
    if last:
        replied = {
            "gen_ai.usage.input_tokens": record.prompt_tokens, "gen_ai.usage.output_tokens": record.completion_tokens,
            "gen_ai.response.time_to_first_chunk": record.ttft if record.stream else None,
            "gen_ai.response.model": record.served if record.outcome == "complete" else None,
            "error.type": record.outcome if record.outcome != "complete" else None,
        }  # fmt: skip
        told |= {name: value for name, value in replied.items() if value is not None}
    return told


def _nanoseconds(record: Finished, at: float) -> int:
    """A time by the gateway's clock as nanoseconds since the epoch."""
    return int((record.at - (record.ended - at)) * 1e9)
