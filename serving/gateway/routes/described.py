"""What the data plane's OpenAPI document says of bodies that no model of ours reads: the engines judge them.

Only what the gateway itself looks at is described; any other field passes.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

_TEXT = {"type": "string"}
_MESSAGE = {"type": "object", "properties": {"role": _TEXT, "content": {}}, "required": ["role"]}
_COMMON = {
    "model": _TEXT, "user": _TEXT, "stream": {"type": "boolean"},
    "n": {"type": "integer", "minimum": 1, "maximum": 128}, "priority": {"type": "integer", "minimum": 0, "maximum": 9},
}  # fmt: skip
_PROMPT = {"anyOf": [_TEXT, {"type": "array", "items": {"anyOf": [_TEXT, {"type": "integer"}]}}]}
BODIES: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "/v1/chat/completions": (
        "A reply, whole or as server-sent events", {**_COMMON, "messages": {"type": "array", "items": _MESSAGE}},
        ("model", "messages"),
    ),
    "/v1/completions": ("The same for a prompt", {**_COMMON, "prompt": _PROMPT}, ("model", "prompt")),
    "/v1/embeddings": ("Embeddings, by `engines.embeddings`", {"model": _TEXT, "input": _PROMPT}, ("model", "input")),
    "/v1/feedback": (
        "One KPI value about a response or a session",
        {
            "kpi": _TEXT, "value": {}, "response_id": _TEXT, "session_id": _TEXT, "id": _TEXT,
            "timestamp": {"type": "number"},
        },
        ("kpi",),
    ),
}  # fmt: skip
"""Path -> summary, the fields of its body, and those that must be there."""
_ERROR = {
    "type": "object", "required": ["error"], "properties": {"error": {
        "type": "object", "required": ["message", "type", "param", "code"],
        "properties": {"message": _TEXT, "type": _TEXT, "param": {}, "code": {}},
    }},
}  # fmt: skip


def describe(app: FastAPI) -> None:
    """Let the document of `app` name every endpoint of the data plane, those that never reach it as well."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, routes=app.routes)
            for path, (summary, fields, required) in BODIES.items():
                operation = made["paths"].setdefault(path, {}).setdefault("post", {"responses": {"200": {
                    "description": "The engine's answer", "content": {"application/json": {}, "text/event-stream": {}},
                }}})  # fmt: skip
                schema = {"type": "object", "properties": fields, "required": list(required)}
                operation["summary"] = summary
                operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
            for methods in made["paths"].values():
                for operation in methods.values():
                    refused = {"description": "Refused, or failed", "content": {"application/json": {"schema": _ERROR}}}
                    operation["responses"]["default"] = refused
                    operation["responses"].pop("422", None)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
