"""`understudy audit verify|show`: works on the file alone."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

from deploy.audit.log_file import REPAIRED, FileAuditLog
from understudy.errors import NotFound
from understudy.state import DEFAULT_STATE, StateDir


def audit(argv: list[str]) -> int:
    """Entry point; 0 when the chain holds, 1 (with the line) when it does not.

    Raises:
        NotFound: there is no log.
        IntegrityError: the first line that does not fit.
    """
    options = audit_parser().parse_args(argv)
    path = StateDir(options.state).audit
    if not path.is_file():
        raise NotFound(f"there is no audit log at {path}; name the state directory with --state")
    if options.action == "verify":
        return _verify(path, options.json)
    for entry in FileAuditLog(path).entries(options.after):
        if options.json:
            print(json.dumps(entry, ensure_ascii=False))
        else:
            at = datetime.fromtimestamp(entry["at"], UTC).strftime("%Y-%m-%d %H:%M:%S")
            details = " ".join(f"{key}={value}" for key, value in entry["details"].items() if value is not None)
            print(f"{entry['n']:>5}  {at}  {entry['action']:<20} {entry['actor']:<11} {details}")
    return 0


def _verify(path: Path, as_json: bool) -> int:
    """Print the chain's length and head, and where something that was no entry was set aside."""
    log = FileAuditLog(path)
    count, head = log.verify()
    repairs = [{"n": e["n"], **e["details"]} for e in log.entries() if e["action"] == REPAIRED]
    if as_json:
        print(json.dumps({"ok": True, "entries": count, "head": head, "repaired": repairs}, ensure_ascii=False))
        return 0
    print(f"{count} entries, unbroken; head {head}")
    for one in repairs:
        where = one.get("set_aside", "cut off")
        print(f"before entry {one['n']}: {one['bytes']} bytes that were no entry: {where}")
    return 0


def audit_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    made = argparse.ArgumentParser(
        prog="understudy audit",
        description="Check the hash chain of the audit log, or show its entries.",
        epilog="example: understudy audit verify --state .understudy",
    )
    made.add_argument("action", choices=("verify", "show"))
    made.add_argument("--after", type=int, default=0, metavar="N", help="show: entries after number N")
    made.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: .understudy)")
    made.add_argument("--json", action="store_true", help="JSON instead of text")
    return made
