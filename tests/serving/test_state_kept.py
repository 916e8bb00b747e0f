"""A state directory moved as docs/guide.md has it, and one whose records know no newer fields."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from deploy.audit.log_file import FileAuditLog
from deploy.registry.manifest import Manifest
from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds
from feedback.outbox.spool import Entry, Spool
from feedback.store.config import RedisConfig
from feedback.store.server import embedded
from serving.control.app import create_app
from serving.control.sources import Sources
from serving.control.token import admin_token
from serving.gateway.access import key_file
from tests.deploy.fleet import World, settled, to_live
from tests.serving.up.server import served
from trials.system import ROOT
from understudy.cli import main
from understudy.config import Config
from understudy.files import read_json, write_json
from understudy.state import StateDir

LIVE = "v3"
EVENT = Entry("exchanges", 0, "s", "你好".encode())


@pytest.fixture
def old(state_dir: StateDir) -> StateDir:
    """Versions, a round that went live, an audit log, an event under way, a client's key, and the files of a start."""
    world = settled(state_dir)
    to_live(world, world.candidate(), "v2")
    with closing(Spool(state_dir.spool / "gateway.sqlite", 1 << 20)) as spool:
        spool.append([EVENT])
    key_file.create(state_dir.clients, "acme")
    embedded(state_dir, 6379).command()
    admin_token(state_dir)
    write_json(state_dir.addresses, {"gateway": "http://127.0.0.1:8000", "state": str(state_dir.root)})
    shutil.rmtree(state_dir.root / "made")  # where the tests' models were before they were versions
    return state_dir


def words() -> tuple[str, ...]:
    """What the guide says may name its own place."""
    page = (ROOT / "docs" / "guide.md").read_text("utf-8")
    (said,) = re.findall(r"names its own place, save (.*?)\n\n", page, re.DOTALL)
    return tuple(re.findall(r"`([\w./]+)`", said))


def typed(state: StateDir, capsys: pytest.CaptureFixture[str], *command: str) -> str:
    assert main([*command, "--state", str(state.root)]) == 0
    return capsys.readouterr().out


def test_a_state_directory_that_was_moved_goes_on_and_nothing_in_it_names_its_former_place(
    old: StateDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = json.loads(typed(old, capsys, "audit", "verify", "--json"))
    new = StateDir(Path(shutil.copytree(old.root, tmp_path / "elsewhere", symlinks=True)))
    shutil.rmtree(old.root)

    after = json.loads(typed(new, capsys, "audit", "verify", "--json", "--head", f"{head['entries']}:{head['head']}"))
    assert (after["entries"], after["head"], after["doubtful"]) == (head["entries"], head["head"], [])
    assert [Registry(new).verify(version).version for version in ("v1", "v2", LIVE)] == ["v1", "v2", LIVE]
    assert LIVE in typed(new, capsys, "models", "list")
    with closing(Spool(new.spool / "gateway.sqlite", 1 << 20)) as spool:
        assert [row.value for row in spool.batch("exchanges", 0, 0, 10)] == [EVENT.value]
    assert key_file.read(new.clients) is not None

    world = World(new, students=())
    assert (world.turn().stable, world.turn().previous) == (LIVE, ("v2", "v1"))
    with served(create_app(world.conductor, Sources(Config({}), RedisConfig(), new), admin_token(new))) as url:
        write_json(new.control, {"url": url})
        assert re.search(rf"^{LIVE} +live ", typed(new, capsys, "versions"), re.MULTILINE)
        assert f"{LIVE} went live" in typed(new, capsys, "rounds", "list")

    place = str(old.root).encode()
    naming = [
        path.relative_to(new.root).as_posix()
        for path in new.root.rglob("*")
        if path.is_file() and place in path.read_bytes()
    ]
    assert {"run/addresses.json", "redis/redis.conf"} <= set(naming)
    assert [name for name in naming if not name.startswith(words())] == []
    assert not [path for path in new.root.rglob("*") if path.is_symlink() and path.readlink().is_absolute()]


def test_records_without_newer_fields_are_read(old: StateDir, capsys: pytest.CaptureFixture[str]) -> None:
    """As a first release wrote them: no head in a manifest, no budget of a round, no leaders, a state of a few keys."""
    for version in ("v1", "v2", LIVE):
        unwitnessed(old, version)
    round_file = old.rounds / "1" / "round.json"
    write_json(round_file, {key: value for key, value in read_json(round_file).items() if key != "budget"})
    judged = {"passed": True, "reasons": [], "general": {"n": 30, "parent": 1.0, "candidate": 1.0}}
    write_json(old.rounds / "1" / "gate" / "summary.json", judged)
    for path in old.registry.glob("rollout*.json"):
        path.unlink()
    states = {"v1": {"state": "previous"}, "v2": {"state": "previous"}, LIVE: {"state": "live"}}
    told = {"schema_version": 1, "teacher": "t1", "stable": LIVE, "previous": ["v2", "v1"], "versions": states}
    write_json(old.registry / "rollout.json", told)
    document = json.loads((old.routing / "current.json").read_bytes())
    for path in old.routing.glob("*.json"):
        path.unlink()
    kept = ("schema_version", "epoch", "created", "reason", "slots", "teacher", "stable", "previous")
    write_json(old.routing / "current.json", {key: document[key] for key in kept})

    world = World(old, students=())
    after = world.turn()
    assert (after.stable, after.previous) == (LIVE, ("v2", "v1"))
    assert after.epoch > document["epoch"]
    with served(create_app(world.conductor, Sources(Config({}), RedisConfig(), old), admin_token(old))) as url:
        write_json(old.control, {"url": url})
        assert re.search(rf"^{LIVE} +live ", typed(old, capsys, "versions"), re.MULTILINE)
        assert "gate passed: general agreement 1.000 -> 1.000" in typed(old, capsys, "rounds", "list")
        assert typed(old, capsys, "rounds", "show", "1").startswith("round 1: done")
    assert FileRounds(old).get(1).candidate == LIVE
    assert FileAuditLog(old.audit).verify().entries > 0
    assert [Registry(old).verify(version).version for version in states] == list(states)


def unwitnessed(state: StateDir, version: str) -> None:
    """Sign a manifest anew as it was before manifests carried the head of the audit log."""
    registry, path = Registry(state), Registry(state).path(version) / "manifest.json"
    plain: Manifest = registry.manifest(version).model_copy(update={"audit": None})
    signature = registry.signer.sign(plain.signed_bytes(), plain.key_id)
    signed = plain.model_copy(update={"signature": signature})
    path.write_text(signed.model_dump_json(exclude={"audit"}), "utf-8")
