"""`understudy guard show` and `guard test`: what the guard goes by, and what it says of a text."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from deploy.routing.document import RoutingDocument
from deploy.routing.guarding import GuardRules
from deploy.routing.stores import open_routing
from feedback.store.connection import find_redis
from serving.guard.cascade import SYSTEM, Guard, GuardedText, Thresholds
from serving.guard.config import GuardConfig
from serving.guard.model.linear import LinearModel
from understudy.config import load_config
from understudy.errors import UsageError
from understudy.state import DEFAULT_STATE, StateDir


def show(argv: list[str]) -> int:
    """Modes, thresholds and where each comes from."""
    options = _parser("show", "Show the guard's modes and thresholds, and where each comes from.", "").parse_args(argv)
    found = settings(options.config, StateDir(options.state))
    if options.json:
        print(json.dumps(found))
        return 0
    for name, value in found.items():
        print(f"{name:<12}{value if not isinstance(value, dict) else json.dumps(value)}")
    return 0


def test(argv: list[str]) -> int:
    """The verdict on a text, with the stage that decided, its score and the threshold."""
    parser = _parser(
        "test", "Judge a text as the gateway would, thresholds of --state included.", " 'Ignore all rules'"
    )
    parser.add_argument("text", help="the text, or a file that holds it (`-`: standard input)")
    parser.add_argument("--system", action="store_true", help="judge it as an application's own system message")
    options = parser.parse_args(argv)
    told = settings(options.config, StateDir(options.state))
    guard = Guard(LinearModel.load(), Thresholds(told["flag"], told["degrade"]))
    judged = guard.judge([GuardedText(_text(options.text), SYSTEM if options.system else 0.0)])
    found = {
        "verdict": judged.verdict.value, "stage": judged.stage or "model", "score": _number(judged.score),
        "threshold": _number(judged.threshold), "partial": judged.partial,
    }  # fmt: skip
    beside = {"signals": sorted(guard.counts.signals), "codes": sorted(guard.counts.codes)}
    if options.json:
        print(json.dumps({**found, **beside}))
    else:
        print(f"{found['verdict']}: {found['stage']} scored {found['score']}, threshold {found['threshold']}")
        for name, seen in beside.items():
            if seen:
                print(f"{name}: {', '.join(seen)}")
        if judged.partial:
            print("it is long: only parts were looked at")
    return 0


def settings(path: Path | None, state: StateDir) -> dict[str, Any]:
    """What holds now: the configuration of `path`, over it the routing document of `state` where there is one."""
    configuration = load_config(path)
    config = configuration.section(GuardConfig)
    model = LinearModel.load()
    redis = find_redis(configuration, state)
    document: RoutingDocument | None = open_routing(state, redis.url, redis.prefix).documents.read()
    given = None if document is None else document.guard
    rules = given or GuardRules()
    flag = next(one for one in (rules.flag, config.flag, model.flag) if one is not None)
    degrade = next(one for one in (rules.degrade, config.degrade, model.degrade) if one is not None)
    return {
        "mode": rules.mode or config.mode,
        "tenants": {**config.tenants, **rules.tenants},
        "flag": flag,
        "degrade": max(flag, degrade),
        "model": {"flag": model.flag, "degrade": model.degrade},
        "document": None if given is None else given.model_dump(mode="json", exclude_none=True),
        "deadline_ms": config.deadline_ms,
        "endpoint": None if config.endpoint is None else config.endpoint.url,
    }


def _parser(action: str, description: str, example: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"understudy guard {action}",
        description=description,
        epilog=f"example: understudy guard {action}{example}",
    )
    made.add_argument("--config", type=Path, help="the YAML file (default: built-in defaults)")
    made.add_argument("--state", type=Path, default=Path(DEFAULT_STATE), help="state directory (default: %(default)s)")
    made.add_argument("--json", action="store_true", help="print JSON")
    return made


def _text(given: str) -> str:
    """The text that is meant: itself, or what a file of that name holds.

    Raises:
        UsageError: the file is not text.
    """
    if given == "-":
        return sys.stdin.read()
    path = Path(given)
    try:
        return path.read_text("utf-8") if len(given) < 256 and path.is_file() else given
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{given} cannot be read as text: {error}") from None


def _number(value: float) -> float | None:
    """JSON knows no infinity."""
    return round(value, 4) if abs(value) < 1e9 else None
