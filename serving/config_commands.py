"""`understudy config show|check|schema`: the configuration as it is, whether it is right, what is allowed."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import yaml

from deploy.life.config import RolloutConfig
from deploy.life.harm import unknown
from deploy.routing.document import RouterConfig
from feedback.kpis.config import KpisConfig
from feedback.kpis.names import counted
from feedback.kpis.ratios import figureless, ratios
from serving.engine.config import EnginesConfig
from understudy.config import SECTIONS, Config, load_config, section_kind

SECRET = frozenset({"api_key", "key_secret", "token", "password"})


def main(argv: list[str]) -> int:
    """Entry point; 0 when the configuration is right, 2 (by ConfigError) when it is not."""
    options = parser().parse_args(argv)
    if options.what == "schema":
        print(json.dumps(schema(), indent=1, ensure_ascii=False))
        return 0
    config = load_config(options.config)
    built = config.check()
    if options.what == "check":
        name = options.config or "the defaults"
        found = warnings(config)
        told = [f"{name}: right", *(f"warning: {one}" for one in found)]
        value = {"ok": True, "sections": sorted(built), "warnings": found}
        print(json.dumps(value) if options.json else "\n".join(told))
        return 0
    shown = {name: concealed(section.model_dump(mode="json")) for name, section in built.items()}
    print(json.dumps(shown, indent=1) if options.json else yaml.safe_dump(shown, sort_keys=False, allow_unicode=True))
    return 0


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    made = argparse.ArgumentParser(
        prog="understudy config",
        description="Show the configuration with its defaults, check it, or print its JSON schema.",
        epilog="example: understudy config check",
    )
    made.add_argument("what", choices=("show", "check", "schema"))
    made.add_argument("--config", type=Path, help="the YAML file (default: built-in defaults)")
    made.add_argument("--state", type=Path, help="accepted for symmetry with other commands")
    made.add_argument("--json", action="store_true", help="print JSON")
    return made


def warnings(config: Config) -> list[str]:
    """What is right in itself and yet will not work: keys that this environment lacks, KPIs without figures."""
    keys = [
        f"`engines.{role}.api_key_env` names {engine.api_key_env}, which is not set here"
        for role, engine in config.section(EnginesConfig).external.items()
        if engine.lacks_key
    ]
    names = counted(config.section(KpisConfig))
    kpis = [
        f"the experiment {one.id} of `router.experiments` uses the kpi {kpi!r}, which nobody counts: {', '.join(names)}"
        for one in config.section(RouterConfig).experiments
        for kpi in one.kpis
        if kpi not in names
    ]
    known = ratios(config.section(KpisConfig))
    figures = [
        f"the experiment {one.id} of `router.experiments` says nothing: {why}"
        for one in config.section(RouterConfig).experiments
        if all(kpi in names for kpi in one.kpis)
        for why in figureless(one, known)
    ]
    return [*keys, *kpis, *figures, *unknown(config.section(RolloutConfig), config.section(KpisConfig))]


def schema() -> dict[str, Any]:
    """JSON schema of the whole file: one property for each section."""
    properties = {name: section_kind(name).model_json_schema() for name in SECTIONS}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def concealed(value: Any, key: str = "") -> Any:
    """`value` with secrets replaced by `***`."""
    if isinstance(value, dict):
        return {name: concealed(inner, name) for name, inner in value.items()}
    if key in SECRET and value:
        return "***"
    return value
