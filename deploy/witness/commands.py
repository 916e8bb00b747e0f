"""`understudy audit verify|show`: works on the files alone."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.audit.heads import AuditHead
from deploy.audit.log_file import REPAIRED, FileAuditLog
from deploy.witness.collect import verify
from understudy.errors import NotFound
from understudy.state import DEFAULT_STATE, StateDir

FIGURES = ("gate", "canary")
"""Keys of details that are shown on lines of their own."""


def audit(argv: list[str]) -> int:
    """Entry point; 0 when the log holds, 1 (with what is wrong) when it does not.

    Raises:
        NotFound: there is no log, and nothing says that there was one.
        IntegrityError: what does not fit.
    """
    options = audit_parser().parse_args(argv)
    state = StateDir(options.state)
    log = FileAuditLog(state.audit)
    if not any(True for _ in log.entries()):
        if options.action == "verify":
            verify(state, options.head)
        raise NotFound(f"there is no audit log at {state.audit}; name the state directory with --state")
    if options.action == "verify":
        return _verify(state, options.head, options.json)
    for entry in log.entries(options.after):
        if options.json:
            print(json.dumps(entry, ensure_ascii=False))
        else:
            at = datetime.fromtimestamp(entry["at"], UTC).strftime("%Y-%m-%d %H:%M:%S")
            print(f"{entry['n']:>5}  {at}  {entry['action']:<20} {entry['actor']:<11} {_short(entry['details'])}")
            for line in _figures(entry["details"]):
                print(f"{'':>7}{line}")
    return 0


def _short(details: dict[str, Any]) -> str:
    """What fits behind the entry: all but the figures."""
    return " ".join(f"{key}={value}" for key, value in details.items() if value is not None and key not in FIGURES)


def _figures(details: dict[str, Any]) -> Iterator[str]:
    """The gate's and the canary's figures behind a decision, a line each."""
    if details.get("gate"):
        yield f"gate    {details['gate']}"
    for step in details.get("canary") or ():
        rest = {key: value for key, value in step.items() if key not in ("share", "exposures", "seconds", "why")}
        head = f"{step['share']:.0%}: {step['exposures']} exposures in {step['seconds']:g} s ({step['why']})"
        yield f"canary  {head}" + "".join(f", {key} {json.dumps(value)}" for key, value in rest.items())


def _verify(state: StateDir, noted: AuditHead | None, as_json: bool) -> int:
    """Print the log's length and head, who agrees, and where something that was no entry was set aside."""
    found = verify(state, noted)
    head = found.head
    entries = FileAuditLog(state.audit).entries()
    repairs = [{"n": e["n"], **e["details"]} for e in entries if e["action"] == REPAIRED]
    if as_json:
        told = {"entries": head.entries, "head": head.hash, "signed": head.signed, "witnesses": found.witnesses}
        print(json.dumps({"ok": True, **told, "doubtful": found.doubtful, "repaired": repairs}, ensure_ascii=False))
        return 0
    print(f"{head.entries} entries, unbroken; head {head.entries}:{head.hash}")
    print(f"signed up to entry {head.signed}; {found.witnesses} documents and manifests agree")
    for where in found.doubtful:
        print(f"{where}: its own signature does not fit, so what it says of the log counts for nothing")
    for one in repairs:
        where = one.get("set_aside", "cut off")
        print(f"before entry {one['n']}: {one['bytes']} bytes that were no entry: {where}")
    return 0


def noted_head(text: str) -> AuditHead:
    """A head as `verify` prints it, `N:HASH`."""
    if not re.fullmatch(r"\d{1,18}:[0-9a-f]{64}", text):
        raise argparse.ArgumentTypeError("give N:HASH as `audit verify` printed it")
    number, _, found = text.partition(":")
    return AuditHead(n=int(number), hash=found)


def audit_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    made = argparse.ArgumentParser(
        prog="understudy audit",
        description="Check the audit log against its hashes, its signatures and the heads of it that routing "
        "documents and manifests carry, or show its entries.",
        epilog="example: understudy audit verify --state .understudy",
    )
    made.add_argument("action", choices=("verify", "show"))
    made.add_argument("--after", type=int, default=0, metavar="N", help="show: entries after number N")
    made.add_argument("--head", type=noted_head, metavar="N:HASH", help="verify: a head that you noted elsewhere")
    made.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: .understudy)")
    made.add_argument("--json", action="store_true", help="JSON instead of text")
    return made
