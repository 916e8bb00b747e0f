"""Configuration of `understudy up`, and the settings it puts under those of the user."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from understudy.config import Section


class UpConfig(Section):
    """One machine: the application and its traffic, supervision, limits."""

    application: str | None = Field(default="demo", pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")
    """Python package whose models, traffic and questions are used; serving/up/application.py says what it brings.

    null: models of your own, imported before, and traffic of your own.
    """
    application_options: dict[str, str | int | float] = Field(default_factory=dict)
    """What each process of the application is given beside, such as {layers: 8} as `--layers 8`."""
    state: str | None = None
    """State directory where `--state` names none; null: .understudy. Other models, another directory."""
    rate: float = Field(default=5.0, gt=0, le=500)
    """Requests that the application sends in a second; fewer where replies take so long that more than one would be
    under way on average."""
    stream_share: float = Field(default=0.5, ge=0, le=1)
    """Share of the application's requests that ask for a stream."""
    users: int = Field(default=60, ge=1)
    """Users whom the application plays."""
    warm_seconds: float = Field(default=30.0, ge=0)
    """How long only questions that the student was taught are sent."""
    drift_share: float = Field(default=0.55, ge=0, le=1)
    """Share of the new kind of question from then on."""
    install_seconds: float = Field(default=180.0, gt=0)
    """How long the application may take to put its models into a fresh registry."""
    min_memory_mib: int = Field(default=4000, ge=0)
    """Memory that must be free before anything starts."""
    ready_seconds: float = Field(default=240.0, gt=0)
    """How long engines and gateway may take until the first reply."""
    stop_seconds: float = Field(default=8.0, gt=0)
    """How long each wave of roles may take to stop before it is killed."""
    backoff: float = Field(default=0.5, gt=0)
    """Seconds before the first restart of a role; doubles with each further one."""
    backoff_limit: float = Field(default=15.0, gt=0)
    """Longest wait before a restart."""
    steady_seconds: float = Field(default=30.0, gt=0)
    """A role that ran so long starts again with the shortest back-off."""
    judged: int = Field(default=200, ge=1)
    """Held-out prompts of each kind in the report of `--until-swap`."""
    after_swap_seconds: float = Field(default=10.0, ge=0)
    """How long traffic goes on after the swap before the report is made."""


DEFAULTS: dict[str, dict[str, Any]] = {
    "router": {"default": {"student": 0.7, "teacher": 0.3}},
    "rollout": {
        "steps": [{"share": 0.25, "min_exposures": 50, "max_wait_seconds": 60, "on_timeout": "promote"}],
    },
    "shadow": {"to_student": 0.9, "to_teacher": 0.9, "concurrency": 2},
    "guard": {"mode": "enforce"},
    "gate": {"general_rows": 120, "hard_rows": 30, "on_few": "go"},
    "trainer": {"budget_seconds": 180, "min_fresh": 220},
}
"""What `up` sets where the user's file says nothing; key by key within a section."""


def composed(user: dict[str, Any], redis_url: str) -> dict[str, Any]:
    """The configuration that every role is started with: `DEFAULTS`, over them `user`, and where Redis is.

    A key of the user's section replaces the default key whole; nothing below it is mixed.
    """
    merged = {name: dict(keys) for name, keys in DEFAULTS.items()}
    for name, keys in user.items():
        merged[name] = {**merged.get(name, {}), **keys} if isinstance(keys, dict) else keys
    redis = dict(merged.get("redis") or {})
    redis["url"] = redis.get("url") or redis_url
    return {**merged, "redis": redis}
