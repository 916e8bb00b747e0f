"""`understudy guard set|release|flagged`: the guard changed while gateways run, and what it flagged."""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path
from typing import Any

from deploy.routing.guarding import AllowRule, system_hash
from feedback.flagged.store import FlaggedEntry
from serving.control.client import segment
from serving.control.commands import command_parser, given, shown, speaking, spoken
from serving.control.replies.guard import FlaggedReply, FlaggedTextReply, GuardReply, MarkedReply, ReleasedReply
from understudy.errors import UsageError

MODES = ("off", "observe", "enforce", "default")
DAYS = 30.0


def release(argv: list[str]) -> int:
    """Close the breaker of a user of whom the guard degraded too much."""
    about = "Close the breaker of a user whose requests the guard degraded; gateways follow within a second."
    made = command_parser("guard release", about, "guard release 3f2a9c0d11e87b654320 --why appeal")
    made.add_argument(
        "user", metavar="USER", help="as `understudy status` names it; with --tenant the own name, or address:IP"
    )
    made.add_argument("--tenant", help="whose user it is, where USER is the user's own name")
    options = spoken(made).parse_args(argv)
    body = given(user=options.user, tenant=options.tenant, why=options.why)
    answer = speaking(options).call("POST", "/guard/release", json=body)
    return shown(options, answer, ReleasedReply, lambda reply: f"{reply.released} is let through again")


def set_(argv: list[str]) -> int:
    """Change modes, thresholds and exceptions of the guard."""
    about = (
        "Change the guard while gateways run: they follow within a second, and the audit log has who and why. "
        "`default` in the place of a value takes it back. An exception lets requests through although they are judged."
    )
    made = command_parser("guard set", about, "guard set --allow --tenant shop --days 14 --why 'quiz about jailbreaks'")
    made.add_argument("--mode", choices=MODES, help="for all tenants, or with --tenant for that one")
    made.add_argument("--flag", metavar="SCORE", help="log-odds from which on a request is flagged")
    made.add_argument("--degrade", metavar="SCORE", help="log-odds from which on it is degraded")
    made.add_argument("--allow", action="store_true", help="make an exception of what --tenant, --system, --user name")
    made.add_argument("--tenant", help="whose requests")
    made.add_argument("--system", metavar="FILE", help="requests with this system message: its file, or its SHA-256")
    made.add_argument("--user", help="of this user: as `status` names it, or with --tenant the user's own name")
    made.add_argument("--days", type=float, help=f"for which the exception holds (default {DAYS:g})")
    made.add_argument("--end", action="append", metavar="RULE", help="end an exception now; may be given again")
    options = spoken(made).parse_args(argv)
    answer = speaking(options).call("POST", "/guard", json=asked(options))
    return shown(options, answer, GuardReply, told)


def flagged(argv: list[str]) -> int:
    """List, show or mark what the guard flagged or degraded."""
    about = (
        "What the guard flagged or degraded, and appeals (feedback `false_positive`): list it, read one as it is kept "
        "(redacted), or say that it was harmless, which lets its user through again."
    )
    made = command_parser(
        "guard flagged", about, "guard flagged mark 3f2a9c0d good --days 14 --why 'a security course'"
    )
    made.add_argument("action", choices=("list", "show", "mark"))
    made.add_argument("id", nargs="?", help="show, mark: the beginning of an id is enough")
    made.add_argument("mark", nargs="?", choices=("good", "bad"), help="mark: harmless, or an attack")
    made.add_argument("--appeals", action="store_true", help="list: appeals alone that nobody marked")
    made.add_argument("--tenant", help="list: of this tenant alone")
    made.add_argument("--days", type=float, help="mark good: let the user through for so long, whatever the guard says")
    options = spoken(made).parse_args(argv)
    admin = speaking(options)
    if options.action == "list":
        asked_for = given(appeals=options.appeals or None, tenant=options.tenant)
        return shown(options, admin.get("/guard/flagged", **asked_for), FlaggedReply, entries)
    if not options.id or (options.action == "mark" and not options.mark):
        raise UsageError("`guard flagged show` needs an ID, `guard flagged mark` an ID and `good` or `bad`")
    if options.action == "show":
        return shown(options, admin.get(f"/guard/flagged/{segment(options.id)}"), FlaggedTextReply, text)
    body = given(mark=options.mark, days=options.days, why=options.why)
    return shown(options, admin.call("POST", f"/guard/flagged/{segment(options.id)}", json=body), MarkedReply, marked)


def entries(reply: FlaggedReply) -> str:
    """The list, a line each."""
    return "\n".join(map(entry_line, reply.entries)) or "nothing is kept"


def entry_line(entry: FlaggedEntry) -> str:
    """One request of the list."""
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.at))
    score = "" if entry.score is None else f" {entry.score:.2f}"
    more = [word for word in ("appealed" if entry.appealed else "", entry.mark) if word]
    whose = f"{entry.arm} {entry.version}".strip()
    parts = (entry.id, at, entry.tenant, entry.verdict, f"{entry.stage}{score}", whose, ", ".join(more))
    return "  ".join(part for part in parts if part)


def text(reply: FlaggedTextReply) -> str:
    """One request in full."""
    said = [f"{one.get('role', '')}: {one.get('content', '')}" for one in reply.messages]
    user = [f"user {reply.entry.user}"] if reply.entry.user else []
    if not said:
        said = ["its text is not held: it was not kept, or its client asked for that"]
    answer = [f"reply: {reply.reply}"] if reply.reply else []
    return "\n".join([entry_line(reply.entry), *user, *said, *answer])


def marked(reply: MarkedReply) -> str:
    """What came of a mark."""
    said = [f"{reply.id} is marked {reply.mark}"]
    if reply.released:
        said.append(f"{reply.released} is let through again")
    if reply.rule:
        said.append(f"exception {reply.rule} made")
    return "; ".join(said)


def asked(options: argparse.Namespace) -> dict[str, Any]:
    """What is sent.

    Raises:
        UsageError: options that do not go together, or a value that is none.
    """
    exception = given(
        tenant=options.tenant, user=options.user, system=None if options.system is None else _hash(options.system)
    )
    if options.allow and not exception:
        raise UsageError("--allow needs --tenant, --system or --user; for everybody use --mode")
    if options.allow and options.mode:
        raise UsageError("--allow and --mode both take --tenant: ask for one after the other")
    if not options.allow and (options.system or options.user or options.days is not None):
        raise UsageError("--system, --user and --days say whom an exception is for: add --allow")
    body = given(
        mode=options.mode, tenant=None if options.allow else options.tenant, flag=_score(options.flag),
        degrade=_score(options.degrade), disallow=options.end, why=options.why,
    )  # fmt: skip
    if options.allow:
        body["allow"] = {**exception, "days": DAYS if options.days is None else options.days}
    return body


def told(reply: GuardReply) -> str:
    """The rules in force, in words."""
    rules, lines = reply.rules, []
    if rules.mode:
        lines.append(f"mode {rules.mode}")
    lines += [f"mode of {tenant} {mode}" for tenant, mode in sorted(rules.tenants.items())]
    lines += [
        f"{name} {value:g}" for name, value in (("flag", rules.flag), ("degrade", rules.degrade)) if value is not None
    ]
    lines += [allowed(rule, rule.id == reply.rule) for rule in rules.allow]
    return "\n".join([f"epoch {reply.epoch}, over the gateways' own settings:", *(lines or ["nothing"])])


def allowed(rule: AllowRule, new: bool = False) -> str:
    """An exception in one line."""
    whose = {"tenant": rule.tenant, "system": rule.system and rule.system[:12], "user": rule.user}
    words = ", ".join(f"{name} {value}" for name, value in whose.items() if value)
    until = time.strftime("%Y-%m-%d %H:%M", time.localtime(rule.until))
    return f"exception {rule.id}{' (new)' if new else ''}: {words}, until {until}{f': {rule.why}' if rule.why else ''}"


def _hash(text: str) -> str:
    if re.fullmatch("[0-9a-f]{64}", text):
        return text
    try:
        return system_hash([Path(text).read_text("utf-8")])
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--system {text}: a file that holds the system message, or its SHA-256: {error}") from None


def _score(text: str | None) -> float | str | None:
    if text is None or text == "default":
        return text
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{text!r} is no score: a number, or `default`") from None
