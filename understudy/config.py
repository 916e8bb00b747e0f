"""One YAML file, sections owned by the packages, environment overrides, errors that name the path.

A section is declared beside its owner as a frozen pydantic model and named in `SECTIONS`;
this module only composes. Sources, later ones win: defaults, the file, `UNDERSTUDY_<SECTION>__<FIELD>`.
pydantic-settings was considered; it reads the environment well but cannot name the YAML path,
the value given and the values allowed in one sentence, nor load sections on use.
"""

from __future__ import annotations

import difflib
import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from understudy.errors import ConfigError

SECTIONS: dict[str, str] = {
    "engines": "serving.engine.config:EnginesConfig",
    "gateway": "serving.gateway.config:GatewayConfig",
    "router": "deploy.routing:RouterConfig",
    "control": "serving.control.config:ControlConfig",
    "redis": "feedback.config:RedisConfig",
    "bus": "feedback.config:BusConfig",
    "outbox": "feedback.config:OutboxConfig",
    "shadow": "feedback.config:ShadowConfig",
    "pool": "feedback.config:PoolConfig",
    "kpis": "feedback.config:KpisConfig",
    "rollout": "deploy.config:RolloutConfig",
    "gate": "deploy.config:GateConfig",
    "trainer": "online_distill.config:TrainerConfig",
    "up": "serving.up.config:UpConfig",
}
PREFIX = "UNDERSTUDY_"
RESERVED = frozenset({"ADMIN_URL", "ADMIN_TOKEN", "DATA", "STATE", "CONFIG"})


class Section(BaseModel):
    """Base of every configuration section: frozen, keyword-only, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


S = TypeVar("S", bound=Section)


class Config:
    """A validated configuration; sections are built on first use and cached."""

    def __init__(self, raw: Mapping[str, Any], source: str = "defaults") -> None:
        self._raw = dict(raw)
        self._source = source
        self._built: dict[str, Section] = {}
        for key in self._raw:
            if key not in SECTIONS:
                raise ConfigError(f"{source}: {unknown_key(key, key, SECTIONS)}", param=key)

    @property
    def raw(self) -> dict[str, Any]:
        """What was given, after overrides, before defaults."""
        return self._raw

    def section(self, kind: type[S]) -> S:
        """The section whose class is `kind`.

        Raises:
            ConfigError: a key or value is wrong; the message names path, value and what is allowed.
        """
        target = f"{kind.__module__}:{kind.__qualname__}"
        name = next((n for n, t in SECTIONS.items() if t == target), None)
        if name is None:
            raise ConfigError(f"{target} is not a configuration section")
        return cast(S, self.named(name))

    def named(self, name: str) -> Section:
        """The section called `name`, validated."""
        if name not in self._built:
            module, _, attribute = SECTIONS[name].partition(":")
            kind = getattr(importlib.import_module(module), attribute)
            given = self._raw.get(name)
            try:
                self._built[name] = kind.model_validate({} if given is None else given)
            except ValidationError as error:
                raise ConfigError(f"{self._source}: {describe(name, error, kind)}", param=name) from None
        return self._built[name]

    def check(self) -> dict[str, Section]:
        """Validate every section; returns them by name."""
        return {name: self.named(name) for name in SECTIONS}


def load_config(path: Path | None = None, env: Mapping[str, str] | None = None) -> Config:
    """Read `path` (None: defaults), apply the overrides of `env` (None: the process environment).

    Raises:
        ConfigError: unreadable file, wrong YAML, unknown section.
    """
    raw: dict[str, Any] = {}
    source = "defaults"
    if path is not None:
        source = str(path)
        try:
            given = yaml.safe_load(path.read_text("utf-8"))
        except OSError as error:
            raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is not valid YAML: {error}") from None
        if given is not None and not isinstance(given, dict):
            raise ConfigError(f"{path}: the top level must map sections, not be a {type(given).__name__}")
        raw = given or {}
    return Config(_override(raw, os.environ if env is None else env), source)


def _override(raw: dict[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    merged = dict(raw)
    for name, text in env.items():
        parts = name.removeprefix(PREFIX).lower().split("__")
        if not name.startswith(PREFIX) or name.removeprefix(PREFIX) in RESERVED or len(parts) < 2:
            continue
        if parts[0] not in SECTIONS:
            raise ConfigError(f"environment {name}: {unknown_key(parts[0], parts[0], SECTIONS)}")
        node = merged
        for part in parts[:-1]:
            child = node.get(part)
            node[part] = dict(child) if isinstance(child, dict) else {}
            node = node[part]
        node[parts[-1]] = yaml.safe_load(text)
    return merged


def unknown_key(path: str, key: str, allowed: Mapping[str, Any] | list[str]) -> str:
    """A sentence for a key that does not exist, with the nearest one that does."""
    names = sorted(allowed)
    near = difflib.get_close_matches(key, names, n=1)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    return f"`{path}` is not a known key{hint} (allowed: {', '.join(names)})"


def describe(section: str, error: ValidationError, kind: type[BaseModel]) -> str:
    """All findings of a pydantic error, one line each: path, what was given, what is allowed."""
    lines = []
    for item in error.errors():
        path = ".".join([section, *(str(part) for part in item["loc"])])
        if item["type"] == "extra_forbidden":
            allowed = list(kind.model_fields) if len(item["loc"]) == 1 else []
            lines.append(unknown_key(path, str(item["loc"][-1]), allowed))
        else:
            lines.append(f"`{path}` was given {item.get('input')!r}: {item['msg']}")
    return "; ".join(lines)
