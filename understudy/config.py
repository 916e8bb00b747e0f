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
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Any, ClassVar, TypeVar, Union, cast, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from understudy.errors import ConfigError
from understudy.state import StateDir
from understudy.yaml_text import load_yaml

SECTIONS: dict[str, str] = {
    "engines": "serving.engine.config:EnginesConfig",
    "gateway": "serving.gateway.config:GatewayConfig",
    "guard": "serving.guard.config:GuardConfig",
    "flagged": "feedback.flagged.config:FlaggedConfig",
    "router": "deploy.routing.document:RouterConfig",
    "control": "serving.control.config:ControlConfig",
    "redis": "feedback.store.config:RedisConfig",
    "bus": "feedback.bus.config:BusConfig",
    "outbox": "feedback.outbox.config:OutboxConfig",
    "shadow": "feedback.shadow.config:ShadowConfig",
    "pool": "feedback.pool.config:PoolConfig",
    "kpis": "feedback.kpis.config:KpisConfig",
    "registry": "deploy.registry.config:RegistryConfig",
    "rollout": "deploy.life.config:RolloutConfig",
    "gate": "deploy.life.config:GateConfig",
    "trainer": "online_distill.role.config:TrainerConfig",
    "up": "serving.up.config:UpConfig",
    "telemetry": "understudy.telemetry.config:TelemetryConfig",
    "traces": "serving.gateway.observing.config:TracesConfig",
}
PREFIX = "UNDERSTUDY_"
LISTS = dict.fromkeys(("tuple_type", "list_type", "set_type", "frozen_set_type"), "give a list, such as [a, b]")
"""By the type of a pydantic error: YAML has lists alone."""


class Section(BaseModel):
    """Base of every configuration section: frozen, keyword-only; unknown keys, NaN and infinity refused."""

    RENAMED: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Keys of former versions with their names now, which a refusal gives."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


S = TypeVar("S", bound=Section)


class Config:
    """A validated configuration; sections are built on first use and cached.

    `source` names the file in errors, `overrides` the environment variable that set a path such as `gateway.port`.
    """

    def __init__(
        self, raw: Mapping[str, Any], source: str = "configuration", overrides: Mapping[str, str] | None = None
    ) -> None:
        self._raw = dict(raw)
        self._source = source
        self._overrides = overrides or {}
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
            kind = section_kind(name)
            given = self._raw.get(name)
            try:
                self._built[name] = kind.model_validate({} if given is None else given)
            except ValidationError as error:
                raise ConfigError(
                    f"{self._source}: {describe(name, error, kind, self._overrides)}", param=name
                ) from None
        return self._built[name]

    def check(self) -> dict[str, Section]:
        """Validate every section; returns them by name."""
        return {name: self.named(name) for name in SECTIONS}


def section_kind(name: str) -> type[Section]:
    """The model of the section called `name`; imports its owner."""
    module, _, attribute = SECTIONS[name].partition(":")
    kind: type[Section] = getattr(importlib.import_module(module), attribute)
    return kind


def load_config(path: Path | None = None, env: Mapping[str, str] | None = None) -> Config:
    """Read `path` (None: defaults), apply the overrides of `env` (None: the process environment).

    Raises:
        ConfigError: unreadable file, wrong YAML in it or in a variable, unknown section.
    """
    raw: dict[str, Any] = {}
    source = "configuration"
    if path is not None:
        source = str(path)
        try:
            given = load_yaml(path.read_text("utf-8"))
        except OSError as error:
            raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
        if given is not None and not isinstance(given, dict):
            raise ConfigError(f"{path}: the top level must map sections, not be a {type(given).__name__}")
        raw = given or {}
    merged, overrides = _override(raw, os.environ if env is None else env)
    return Config(merged, source, overrides)


def config_for(path: Path | None, state: StateDir) -> Config:
    """The configuration of `path`; without one that of the system that `up` runs in `state`, else the defaults.

    For commands on files, which would otherwise tell defaults of a system that was started with others.

    Raises:
        ConfigError: as `load_config`.
    """
    runs = state.addresses.is_file() and state.config.is_file()
    return load_config(path or (state.config if runs else None))


def _override(raw: dict[str, Any], env: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """`raw` with the values of `env` in place, and the variable that set each path."""
    merged, overrides = dict(raw), {}
    for name, text in env.items():
        parts = name.removeprefix(PREFIX).lower().split("__")
        if not name.startswith(PREFIX):
            continue
        if len(parts) < 2:
            _refuse_near_miss(name, text)
            continue
        if parts[0] not in SECTIONS:
            raise ConfigError(f"environment {name}: {unknown_key(parts[0], parts[0], SECTIONS)}")
        try:
            value = load_yaml(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"environment {name}: not valid YAML: {' '.join(str(error).split())}") from None
        node = merged
        for part in parts[:-1]:
            child = node.get(part)
            node[part] = dict(child) if isinstance(child, dict) else {}
            node = node[part]
        node[parts[-1]] = value
        overrides[".".join(parts)] = name
    return merged, overrides


def _refuse_near_miss(name: str, text: str) -> None:
    """Refuse `UNDERSTUDY_GATEWAY_PORT`, which wants two underscores; other variables are none of our business.

    Kubernetes sets such a name to `tcp://...` in every pod beside a service called `understudy-gateway`.
    """
    section, _, rest = name.removeprefix(PREFIX).lower().partition("_")
    if section in SECTIONS and not text.startswith("tcp://"):
        kind = section_kind(section)
        near = difflib.get_close_matches(rest, [*kind.model_fields, *kind.RENAMED], n=1)
        if near:
            meant = f"{PREFIX}{section}__{kind.RENAMED.get(near[0], near[0])}".upper()
            raise ConfigError(f"environment {name}: two underscores go before a field; did you mean `{meant}`?")


def unknown_key(path: str, key: str, allowed: Mapping[str, Any] | list[str]) -> str:
    """A sentence for a key that does not exist, with the nearest one that does."""
    names = sorted(allowed)
    near = difflib.get_close_matches(key, names, n=1)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    return f"`{path}` is not a known key{hint} (allowed: {', '.join(names)})"


def describe(
    section: str, error: ValidationError, kind: type[BaseModel], overrides: Mapping[str, str] | None = None
) -> str:
    """All findings of a pydantic error: path, what was given, what is allowed, and the variable that gave it."""
    findings = []
    for item in error.errors():
        keys = item["loc"][:-2] if item["loc"][-1:] == ("[key]",) else item["loc"]  # a wrong key: of what it is in
        path = ".".join([section, *map(str, keys)])
        if item["type"] == "extra_forbidden" and (now := _renamed(kind, keys)):
            found = f"`{path}` is called `{section}.{now}` now"
        elif item["type"] == "extra_forbidden":
            found = unknown_key(path, str(keys[-1]), allowed_keys(kind, keys[:-1]))
        elif item["type"] == "missing":
            found = f"`{path}` is missing"
        elif item["type"] == "model_type":
            found = f"`{path}` was given {item['input']!r}: give keys of {', '.join(sorted(allowed_keys(kind, keys)))}"
        else:
            allowed = LISTS.get(item["type"]) or item["msg"].removeprefix("Value error, ")
            found = f"`{path}` was given {without_password(repr(item['input']))}: {allowed}"
        names = [name for set_path, name in (overrides or {}).items() if _related(path, set_path)]
        findings.append(found + (f" (set by {', '.join(names)})" if names else ""))
    return "; ".join(findings)


def without_password(text: str) -> str:
    """A URL, or a text with one, as it may be shown."""
    return re.sub(r"//[^/]*@", "//", text)


def _renamed(kind: type[BaseModel], keys: Sequence[int | str]) -> str | None:
    """What the key of a section that `keys` names is called now; None where it never was one."""
    known = kind.RENAMED if issubclass(kind, Section) and len(keys) == 1 else {}
    return known.get(str(keys[0])) if keys else None


def allowed_keys(kind: Any, keys: Sequence[int | str]) -> list[str]:
    """Fields of the model to which `keys` lead from the type `kind`, through containers; empty: not a model."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return [field for option in inner for field in allowed_keys(option, keys)]
    if origin in (tuple, dict) and keys:
        return allowed_keys(inner[origin is dict], keys[1:])
    if not isinstance(kind, type) or not issubclass(kind, BaseModel):
        return []
    if not keys:
        return list(kind.model_fields)
    field = kind.model_fields.get(str(keys[0]))
    return allowed_keys(field.annotation, keys[1:]) if field else []


def _related(one: str, other: str) -> bool:
    """Whether one dotted path is the other or leads to it."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")
