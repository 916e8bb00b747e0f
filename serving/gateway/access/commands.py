"""`understudy keys create|list|revoke`: keys of clients, in the state directory alone."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from serving.control.printing import table
from serving.gateway.access import key_file
from serving.gateway.access.key_file import KeyRecord
from understudy.errors import Unavailable
from understudy.state import DEFAULT_STATE, StateDir

HEAD = ("id", "name", "tenant", "created", "revoked")


def main(argv: list[str]) -> int:
    """Entry point; returns the exit code.

    Raises:
        UsageError, Conflict, NotFound, IntegrityError: as `key_file` tells.
        Unavailable: the state directory cannot be read or written.
    """
    options = parser().parse_args(argv)
    state = StateDir(options.state)
    try:
        if options.action == "create":
            _create(state, options)
        elif options.action == "revoke":
            _revoke(state, options)
        else:
            _list(state, options)
    except OSError as error:
        where = error.filename or state.clients
        raise Unavailable(f"{where}: {error.strerror}; work as the user whose state directory it is") from None
    return 0


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    made = argparse.ArgumentParser(
        prog="understudy keys",
        description="Keys by which applications call the gateway. A key is shown once, when it is made; the state "
        "directory keeps its HMAC. Every gateway of the state directory follows within a second, without a restart. "
        "From the first key on every client needs one.",
        epilog="example: understudy keys create --tenant shop",
    )
    actions = made.add_subparsers(dest="action", required=True, metavar="create|list|revoke")
    create = actions.add_parser("create", help="make a key and show it, this once",
                                epilog="example: understudy keys create --tenant shop --name support-bot")  # fmt: skip
    create.add_argument("--tenant", default="default", help="whose traffic it is (default: %(default)s)")
    create.add_argument("--name", help="to revoke it by (default: its id)")
    listed = actions.add_parser("list", help="all keys, revoked ones too", epilog="example: understudy keys list")
    revoke = actions.add_parser("revoke", help="let a key be used no more",
                                epilog="example: understudy keys revoke support-bot")  # fmt: skip
    revoke.add_argument("key", metavar="ID|NAME", help="of the key, as `keys list` shows them")
    for one in (create, listed, revoke):
        one.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: %(default)s)")
        one.add_argument("--json", action="store_true", help="print JSON")
    return made


def told(record: KeyRecord) -> dict[str, Any]:
    """A record as it may be shown: without its HMAC."""
    return record.model_dump(mode="json", exclude={"hmac"})


def _create(state: StateDir, options: argparse.Namespace) -> None:
    record, key = key_file.create(state.clients, options.tenant, options.name)
    if options.json:
        print(json.dumps({**told(record), "key": key}))
        return
    print(key, flush=True)
    print(
        f"key {record.id} ({record.name}) of tenant {record.tenant}; it is shown this once. Gateways of {state.root} "
        f"know it within a second.", file=sys.stderr,
    )  # fmt: skip


def _revoke(state: StateDir, options: argparse.Namespace) -> None:
    record = key_file.revoke(state.clients, options.key)
    if options.json:
        print(json.dumps(told(record)))
    else:
        print(f"{record.id} ({record.name}) of tenant {record.tenant} is revoked since {_when(record.revoked)}")


def _list(state: StateDir, options: argparse.Namespace) -> None:
    found = key_file.read(state.clients)
    keys = () if found is None else found.keys
    if options.json:
        print(json.dumps({"asked": found is not None, "keys": [told(one) for one in keys]}))
        return
    if found is None:
        print(
            f"no key was ever made in {state.root}: `understudy keys create` makes one, and asks for keys from then on"
        )
        return
    print(table(HEAD, ((one.id, one.name, one.tenant, _when(one.created), _when(one.revoked)) for one in keys)))


def _when(at: datetime | None) -> str:
    return "" if at is None else at.strftime("%Y-%m-%d %H:%M:%S")
