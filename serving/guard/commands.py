"""`understudy guard show|test|tune`: what the guard goes by, what it says of a text, which thresholds would suit."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deploy.routing.document import BreakerBeat, RoutingDocument
from deploy.routing.guarding import GuardRules
from deploy.routing.stores import open_routing
from feedback.flagged.config import FlaggedConfig
from feedback.flagged.store import FlaggedStore
from feedback.pool.config import PoolConfig
from feedback.pool.store import Pool
from feedback.privacy.vault import FOLDER, Vault
from feedback.store.connection import connect, find_redis
from feedback.store.keys import RedisKeys
from serving.guard.cascade import SYSTEM, Guard, GuardedText, Thresholds
from serving.guard.config import GuardConfig
from serving.guard.model.linear import LinearModel
from serving.guard.tuning import DEGRADED_SHARE, needed, scores, tuned
from understudy.config import Config, config_for
from understudy.errors import UsageError
from understudy.state import DEFAULT_STATE, StateDir


def show(argv: list[str]) -> int:
    """Modes, thresholds and where each comes from."""
    options = _parser("show", "Show the guard's modes and thresholds, and where each comes from.", "").parse_args(argv)
    found = settings(options.config, StateDir(options.state))
    if options.json:
        print(json.dumps(found))
        return 0
    whose = found.pop("from")
    for name, value in found.items():
        said = json.dumps(value) if isinstance(value, dict) else value
        print(f"{name:<12}{said}{f' ({whose[name]})' if name in whose else ''}")
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


def tune(argv: list[str]) -> int:
    """Thresholds that flag no more than a share of what was harmless here."""
    parser = argparse.ArgumentParser(
        prog="understudy guard tune",
        description="Say which thresholds flag no more than a share of harmless texts, and degrade a tenth of that: of "
        "your own rows, or of users' turns that are kept for learning (opened here, printed nowhere). Of those, what "
        "was flagged is missing: tune while the guard observes, or mark harmless requests good.",
        epilog="example: understudy guard tune --false-positives 0.01 --data turns.jsonl",
    )
    parser.add_argument("--false-positives", type=_share, required=True, metavar="SHARE", help="such as 0.01")
    parser.add_argument(
        "--data", type=Path, help='rows {"text"} or {"messages"}; those with "label": "attack" are left out'
    )
    _common(parser)
    options = parser.parse_args(argv)
    state, share = StateDir(options.state), options.false_positives
    texts = turns_of(options.data) if options.data else kept_turns(config_for(options.config, state), state)
    model = LinearModel.load()
    found = scores(model, texts)
    made = tuned(found, share)
    if made is None:
        raise UsageError(f"{len(found)} texts are too few: {share:g} of them needs {needed(share)} or more; see --data")
    command = f"understudy guard set --flag {made.flag:g}"
    if made.degrade is not None:
        command += f" --degrade {made.degrade:g}"
    own = {name: settings(options.config, state)[name] for name in ("flag", "degrade")}
    told = {**asdict(made), "now": own, "set": command}
    if options.json:
        print(json.dumps(told))
        return 0
    print(f"of {made.texts} texts {made.flagged} score {made.flag:g} or more; the threshold is {own['flag']:g} now")
    if made.degrade is None:
        print(
            f"too few to say when to degrade: {needed(share * DEGRADED_SHARE)} are needed; it is {own['degrade']:g} now"
        )
    else:
        print(f"{made.degraded} score {made.degrade:g} or more; the threshold to degrade is {own['degrade']:g} now")
    print(command)
    return 0


def settings(path: Path | None, state: StateDir) -> dict[str, Any]:
    """What holds now: the configuration (of `path`, else of what runs), over it what operators set in the document.

    `from` says of mode, flag and degrade where the value comes from: operators, configuration or model.
    """
    configuration = config_for(path, state)
    config = configuration.section(GuardConfig)
    model = LinearModel.load()
    redis = find_redis(configuration, state)
    routing = open_routing(state, redis.url, redis.prefix)
    document: RoutingDocument | None = routing.documents.read()
    given = None if document is None else document.guard
    rules = given or GuardRules()
    mode, mode_from = _first(operators=rules.mode, configuration=config.mode)
    flag, flag_from = _first(operators=rules.flag, configuration=config.flag, model=model.flag)
    degrade, degrade_from = _first(operators=rules.degrade, configuration=config.degrade, model=model.degrade)
    return {
        "mode": mode,
        "tenants": {**config.tenants, **rules.tenants},
        "flag": flag,
        "degrade": max(flag, degrade),
        "from": {"mode": mode_from, "flag": flag_from, "degrade": degrade_from if degrade >= flag else flag_from},
        "model": {"flag": model.flag, "degrade": model.degrade},
        "document": None if given is None else given.model_dump(mode="json", exclude_none=True),
        "deadline_ms": config.deadline_ms,
        "seen": seen(one.breaker for one in routing.beats.gateways()),
        "endpoint": None if config.endpoint is None else config.endpoint.url,
    }


def _first(**values: Any) -> tuple[Any, str]:
    """The first of `values` that is given, and whose it is."""
    return next((value, name) for name, value in values.items() if value is not None)


def seen(beats: Iterable[BreakerBeat]) -> dict[str, dict[str, int]]:
    """Requests by tenant that gateways flagged and degraded, since each began."""
    flagged, degraded = Counter[str](), Counter[str]()
    for beat in beats:
        for tenant, (mild, bad) in beat.guarded.items():
            flagged[tenant] += mild
            degraded[tenant] += bad
    return {tenant: {"flagged": flagged[tenant], "degraded": degraded[tenant]} for tenant in sorted(flagged | degraded)}


def _parser(action: str, description: str, example: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"understudy guard {action}",
        description=description,
        epilog=f"example: understudy guard {action}{example}",
    )
    _common(made)
    return made


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        help="the YAML file (default: that of the `up` that runs in --state, else built-in defaults)",
    )
    parser.add_argument(
        "--state", type=Path, default=Path(DEFAULT_STATE), help="state directory (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share between 0 and 1")
    return value


def turns_of(path: Path) -> Iterator[str]:
    """The harmless texts of a file of rows: of `messages` the user's.

    Raises:
        UsageError: it cannot be read, or a line is no such row.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            if row.get("label") != "attack":
                yield from [str(row["text"])] if "text" in row else users_turns(row["messages"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(f'{path}, line {number}: a row {{"text"}} or {{"messages"}} is needed') from None


def users_turns(messages: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the user says in `messages`."""
    return [one["content"] for one in messages if one.get("role") == "user" and isinstance(one.get("content"), str)]


def kept_turns(config: Config, state: StateDir) -> Iterator[str]:
    """Users' turns of what is kept for learning, and of flagged requests that were marked good.

    Raises:
        UsageError: there is no Redis that holds any.
    """
    redis = find_redis(config, state)
    if not redis.url:
        raise UsageError("no Redis is known here that holds any texts: give rows of your own with --data")
    client, vault = connect(redis.url), Vault(state.spool / FOLDER)
    for sample in Pool(client, redis.prefix, config.section(PoolConfig), vault).every():
        yield from users_turns(sample.messages)
    flagged = FlaggedStore(client, RedisKeys(redis.prefix), config.section(FlaggedConfig), vault)
    for exchange in flagged.marked("good"):
        yield from users_turns(exchange.messages)


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
