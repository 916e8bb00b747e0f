"""The commands of an operator: each is one call of the control plane and its answer as text or JSON."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ab.commands import plan as plan_of_rows
from ab.files import read_experiment
from serving.control import printing
from serving.control.client import Admin, segment
from serving.control.pages import experiment as experiment_pages
from serving.control.pages.plot import plot
from serving.control.pages.results import results_page
from serving.control.pages.round import round_page
from serving.control.pages.version import version_page
from serving.control.replies.counts import KpisReply, PoolReply, PurgeReply
from serving.control.replies.dead import LettersReplayedReply, LettersReply
from serving.control.replies.experiments import (
    ExperimentAppliedReply,
    ExperimentReply,
    ExperimentsReply,
    ExperimentStoppedReply,
    PlanReply,
)
from serving.control.replies.results import ExperimentResultsReply
from serving.control.replies.rounds import RoundAbortedReply, RoundReport, RoundRequestedReply, RoundsReply
from serving.control.replies.status import StatusReply
from serving.control.replies.versions import FrozenReply, MoveReply, VersionPage, VersionsReply
from understudy.errors import NotFound, UnderstudyError, UsageError
from understudy.state import DEFAULT_STATE

M = TypeVar("M", bound=BaseModel)
WHAT = ("promotion", "learning", "student")
ON_FILES = ("plan", "assign", "analyse")
"""Of `experiment`, each a command of its own."""


def status(argv: list[str]) -> int:
    """What is live, ready and under way."""
    made = command_parser("status", "What is live, ready and under way.", "status --watch 5")
    made.add_argument(
        "--watch", nargs="?", type=seconds, const=2.0, metavar="SECONDS", help="again and again; Ctrl-C ends"
    )
    options = made.parse_args(argv)
    while True:
        answer = Admin(options.state).get("/status")
        if options.watch and not options.json and sys.stdout.isatty():
            print("\x1b[2J\x1b[H", end="")
        shown(options, answer, StatusReply, printing.status)
        if not options.watch:
            return 0
        sys.stdout.flush()
        time.sleep(options.watch)


def versions(argv: list[str]) -> int:
    """Versions and their states, or one with all that is known of it."""
    made = command_parser(
        "versions", "Versions and their states, newest first, or one with its life so far.", "versions v3"
    )
    made.add_argument("version", nargs="?", help="show this one: its figures, what is not known of it, its life")
    options = made.parse_args(argv)
    admin = Admin(options.state)
    listed = admin.get("/versions")
    if options.version is None:
        return shown(options, listed, VersionsReply, printing.versions)
    found = next((one for one in listed["versions"] if one["version"] == options.version), None)
    if found is None:
        raise NotFound(f"there is no version {options.version}; `understudy versions` lists them")
    lives: list[dict[str, Any]] = admin.get("/rollouts")["rollouts"]
    life = next((one for one in lives if one["version"] == options.version), {})
    page = {**found, "steps": life.get("steps", []), "history": life.get("history", [])}
    return shown(options, page, VersionPage, version_page)


def rollback(argv: list[str]) -> int:
    """Back to the previous version, or to a named one."""
    made = command_parser("rollback", "Go back to the previous version, or to a named one.", "rollback v1")
    made.add_argument("version", nargs="?", help="default: the latest former one that no rollback has left")
    options = spoken(made).parse_args(argv)
    answer = speaking(options).call("POST", "/rollback", json=given(version=options.version, why=options.why))
    return shown(options, answer, MoveReply, printing.rolled_back)


def promote(argv: list[str]) -> int:
    """Make a version live by hand."""
    made = command_parser("promote", "Make a version live by hand, past gate and canary.", "promote v2")
    made.add_argument("version")
    made.add_argument("--force", action="store_const", const=True, help="though it is unfit: it may speak nonsense")
    options = spoken(made).parse_args(argv)
    body = given(version=options.version, why=options.why, force=options.force)
    answer = speaking(options).call("POST", "/promote", json=body)
    return shown(options, answer, MoveReply, printing.moved)


def freeze(argv: list[str]) -> int:
    """Stop promotion, learning or the student."""
    return _frozen("freeze", "Stop promotion, learning, or all student traffic.", argv)


def resume(argv: list[str]) -> int:
    """Undo a freeze."""
    return _frozen("resume", "Undo a freeze.", argv)


def kpis(argv: list[str]) -> int:
    """KPIs by arm or version."""
    made = command_parser("kpis", "Operational KPIs by arm or version.", "kpis --by version")
    made.add_argument("--by", choices=("arm", "version"), default="arm")
    options = made.parse_args(argv)
    return shown(options, Admin(options.state).get("/kpis", by=options.by), KpisReply, printing.kpis)


def pool(argv: list[str]) -> int:
    """Show or purge the hard pool."""
    made = command_parser("pool", "Show the hard pool, or purge a tenant's samples.", "pool purge --tenant acme")
    made.add_argument("action", choices=("show", "purge"))
    made.add_argument("--tenant", help="purge: whose samples")
    options = spoken(made).parse_args(argv)
    admin = speaking(options)
    if options.action == "show":
        return shown(options, admin.get("/pool"), PoolReply, printing.pool)
    if not options.tenant:
        raise UsageError("`pool purge` needs --tenant NAME: it removes everything of that tenant")
    answer = admin.call("DELETE", "/pool", params=given(tenant=options.tenant, why=options.why))
    return shown(options, answer, PurgeReply, printing.purged)


def dead(argv: list[str]) -> int:
    """List, show or put back dead letters."""
    about = "Events that could not be taken, read or applied: list them, show one, put them back (each counts once)."
    made = command_parser("dead", about, "dead replay exchanges")
    made.add_argument("action", choices=("list", "show", "replay"))
    made.add_argument("topic", help="such as exchanges or understudy.kpis")
    made.add_argument("id", nargs="*", help="show: one; replay: which (default: all); the beginning of an id is enough")
    options = spoken(made).parse_args(argv)
    admin = speaking(options)
    if options.action == "list":
        return shown(options, admin.get("/dead", topic=options.topic), LettersReply, printing.letters)
    if options.action == "replay":
        body = given(topic=options.topic, ids=options.id, why=options.why)
        answer = admin.call("POST", "/dead/replay", json=body)
        shown(options, answer, LettersReplayedReply, printing.replayed)
        return 1 if answer["failed"] else 0
    if len(options.id) != 1:
        raise UsageError("`dead show` needs a TOPIC and one ID; `dead list TOPIC` shows them")
    return _show_all(options, admin.get(f"/dead/{segment(options.id[0])}", topic=options.topic))


def rounds(argv: list[str]) -> int:
    """List, show, start or abort rounds."""
    about = "List rounds of distillation, show one, ask for one, or end one; `rounds repeat N` works on files alone."
    made = command_parser("rounds", about, "rounds start --why drift")
    made.add_argument("action", choices=("list", "show", "start", "abort"))
    made.add_argument("round", nargs="?", type=int, help="show, abort: its number (default: the newest)")
    options = spoken(made).parse_args(argv)
    admin = speaking(options)
    if options.action == "start":
        answer = admin.call("POST", "/rounds", json=given(why=options.why))
        return shown(options, answer, RoundRequestedReply, printing.requested)
    if options.action == "abort":
        answer = admin.call("POST", "/rounds/abort", json=given(round=options.round, why=options.why))
        return shown(options, answer, RoundAbortedReply, printing.aborted)
    if options.action == "list":
        return shown(options, admin.get("/rounds"), RoundsReply, printing.rounds)
    number = _newest(admin) if options.round is None else options.round
    return shown(options, admin.get(f"/rounds/{number}"), RoundReport, round_page)


def _newest(admin: Admin) -> int:
    """Number of the newest round."""
    found = [int(one["id"]) for one in admin.get("/rounds")["rounds"]]
    if not found:
        raise NotFound("there is no round yet; `understudy rounds start` asks for one")
    return found[0]


def experiment(argv: list[str]) -> int:
    """List, show, apply, results, stop; what other commands do is named here, too."""
    about = (
        "Experiments of the running system. `plan FILE`, `assign FILE --units FILE` and `analyse FILE --data ROWS` "
        "work on files and have a --help of their own."
    )
    made = command_parser("experiment", about, "experiment apply docs/experiment.yaml")
    made.add_argument("action", choices=("list", "show", "apply", "results", "stop", *ON_FILES))
    made.add_argument("name", nargs="?", help="apply, plan, assign, analyse: the file; show, results, stop: the id")
    made.add_argument("--plot", type=Path, metavar="FILE.png", help="results: draw the effect and its interval, too")
    options = spoken(made).parse_args(argv)
    if options.action in ON_FILES:
        raise UsageError(f"options come last: `understudy experiment {options.action} FILE ...`")
    if options.action != "list" and not options.name:
        raise UsageError(f"`experiment {options.action}` needs {'a FILE' if options.action == 'apply' else 'an ID'}")
    admin = speaking(options)
    if options.action == "list":
        return shown(options, admin.get("/experiments"), ExperimentsReply, experiment_pages.experiments)
    if options.action == "apply":
        wanted = read_experiment(Path(options.name))
        body = wanted.model_dump(mode="json", exclude_none=True)
        answer = admin.call("PUT", f"/experiments/{wanted.id}", json=body, params=given(why=options.why))
        return shown(options, answer, ExperimentAppliedReply, experiment_pages.applied)
    if options.action == "stop":
        answer = admin.call("DELETE", f"/experiments/{segment(options.name)}", params=given(why=options.why))
        return shown(options, answer, ExperimentStoppedReply, experiment_pages.stopped)
    if options.action == "show":
        return shown(
            options, admin.get(f"/experiments/{segment(options.name)}"), ExperimentReply, experiment_pages.experiment
        )
    answer = admin.get(f"/experiments/{segment(options.name)}/results")
    if options.plot:
        plot(ExperimentResultsReply.model_validate(answer), options.plot)
    return shown(options, answer, ExperimentResultsReply, results_page)


def plan(argv: list[str]) -> int:
    """Units, days and power of an experiment, from rows or from what the control plane counted."""
    if any(word.split("=")[0] == "--data" for word in argv):
        return plan_of_rows(argv)
    about = "Say how many units and days an experiment needs, by what was counted so far; `--data ROWS`: by your rows."
    made = command_parser("experiment plan", about, "experiment plan docs/examples/experiment.yaml")
    made.add_argument("file", type=Path, help="experiment file (YAML) with a primary KPI")
    made.add_argument("--change", type=float, help="the change to notice; default: the margin")
    made.add_argument("--power", type=float, help="default: 0.8")
    options = made.parse_args(argv)
    body = read_experiment(options.file).model_dump(mode="json", exclude_none=True)
    asked = given(change=options.change, power=options.power)
    answer = Admin(options.state).call("POST", "/experiments/plan", json=body, params=asked)
    return shown(options, answer, PlanReply, experiment_pages.plan)


def _frozen(action: str, about: str, argv: list[str]) -> int:
    made = command_parser(action, about, f"{action} promotion")
    made.add_argument("what", choices=WHAT)
    options = spoken(made).parse_args(argv)
    answer = speaking(options).call("POST", f"/{action}", json=given(what=options.what, why=options.why))
    return shown(options, answer, FrozenReply, printing.frozen)


def command_parser(name: str, about: str, example: str) -> argparse.ArgumentParser:
    """A command's parser, with the options that all have."""
    made = argparse.ArgumentParser(
        prog=f"understudy {name}", description=about, epilog=f"example: understudy {example} --state .understudy"
    )
    made.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: .understudy)")
    made.add_argument("--json", action="store_true", help="JSON instead of text")
    return made


def spoken(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """`made` with what the audit log keeps of an act: why, and who did it."""
    made.add_argument("--why", metavar="TEXT", help="the reason, kept in the audit log")
    made.add_argument("--as", dest="speaker", default="", metavar="NAME", help="who does it, beside the system's user")
    return made


def speaking(options: argparse.Namespace) -> Admin:
    """A client that says who does it."""
    return Admin(options.state, options.speaker)


def given(**values: Any) -> dict[str, Any]:
    """What of `values` was given."""
    return {name: value for name, value in values.items() if value is not None}


def seconds(text: str) -> float:
    """A time above 0.1 s."""
    value = float(text)
    if not 0.1 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a time of 0.1 s or more")
    return value


def shown(options: argparse.Namespace, answer: Any, reply: type[M], as_text: Callable[[M], str]) -> int:
    """Print `answer` as it came, or as text from the `reply` that it is.

    Raises:
        UnderstudyError: it is not that reply, as where the address is not that of a control plane.
    """
    if options.json:
        print(json.dumps(answer, ensure_ascii=False))
        return 0
    try:
        print(as_text(reply.model_validate(answer)))
    except ValidationError as error:
        raise UnderstudyError(f"the answer is not one of a control plane of this release: {error}") from None
    return 0


def _show_all(options: argparse.Namespace, answer: Any) -> int:
    """Print all of an `answer` that has no shorter form."""
    print(json.dumps(answer, ensure_ascii=False, indent=None if options.json else 1))
    return 0
