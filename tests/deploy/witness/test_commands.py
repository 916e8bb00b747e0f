"""`understudy audit` on a real log: whole, broken, cut, removed, written anew, forked, absent."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.audit.chain import BEFORE_THE_FIRST, ChainEntry, Deed, following, to_line
from deploy.audit.log_file import FileAuditLog
from deploy.registry.signing import Signer
from deploy.witness.commands import audit
from tests.deploy.fleet import World, to_live
from understudy.errors import IntegrityError, NotFound
from understudy.state import StateDir


def verified(state: StateDir, *more: str) -> int:
    return audit(["verify", "--state", str(state.root), *more])


@pytest.fixture
def promoted(world: World) -> StateDir:
    """A state directory whose log has a promotion; documents and manifests saw it grow."""
    version = world.candidate()
    to_live(world, version)
    return world.state


def lines(state: StateDir) -> list[bytes]:
    return state.audit.read_bytes().splitlines(keepends=True)


def hashed_anew(entries: list[ChainEntry]) -> bytes:
    """A log that holds by itself: the same deeds, other hashes, no signature."""
    last, made = BEFORE_THE_FIRST, b""
    for entry in entries:
        last = following(last, Deed(entry["at"], entry["action"], entry["actor"], entry["details"]))
        made += to_line(last)
    return made


def cut(state: StateDir) -> None:
    state.audit.write_bytes(b"".join(lines(state)[:-2]))


def removed(state: StateDir) -> None:
    state.audit.unlink()


def begun_anew(state: StateDir) -> None:
    state.audit.unlink()
    FileAuditLog(state.audit).append("something", "somebody")


def written_anew(state: StateDir) -> None:
    entries = [json.loads(line) for line in lines(state)]
    entries[3]["actor"] = "somebody else"
    state.audit.write_bytes(hashed_anew(entries))


def end_written_anew(state: StateDir) -> None:
    """The chain holds, and the entries without a signature name the ones before them."""
    kept = lines(state)
    last, made = json.loads(kept[-3]), b"".join(kept[:-2])
    for entry in map(json.loads, kept[-2:]):
        last = following(last, Deed(entry["at"], entry["action"], "somebody else", entry["details"]))
        made += to_line(last)
    state.audit.write_bytes(made)


def stripped(state: StateDir) -> None:
    """Changed, hashed anew, and the signatures of the former entries left in place."""
    entries = [json.loads(line) for line in lines(state)]
    last, made = BEFORE_THE_FIRST, b""
    for entry in entries:
        deed = Deed(entry["at"], entry["action"], "somebody else", entry["details"])
        last = following(last, deed)
        made += to_line({**last, "key": entry["key"], "signature": entry["signature"]})
    state.audit.write_bytes(made)


def test_the_command_verifies_and_shows(state_dir: StateDir, capsys: pytest.CaptureFixture[str]) -> None:
    for why in ("因为", "所以"):
        FileAuditLog(state_dir.audit).append("something", "test", why=why)
    assert verified(state_dir, "--json") == 0
    assert json.loads(capsys.readouterr().out)["entries"] == 2
    assert audit(["show", "--state", str(state_dir.root)]) == 0
    assert "因为" in capsys.readouterr().out
    state_dir.audit.write_text("no entry\n")
    with pytest.raises(IntegrityError, match="line 1"):
        verified(state_dir)


def test_a_log_that_grew_with_its_witnesses_holds(promoted: StateDir, capsys: pytest.CaptureFixture[str]) -> None:
    assert verified(promoted, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["signed"] == told["entries"] == len(lines(promoted))
    assert told["witnesses"] > 5
    assert told["doubtful"] == []


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (cut, r"cut: it ends at entry \d+, and (epoch-\d+|current)\.json saw entry"),
        (removed, r"cut: it ends at entry 0, and"),
        (begun_anew, r"cut: it ends at entry 1, and"),
        (written_anew, r"written anew .*: its entry \d+ is not the one that"),
        (end_written_anew, r"line \d+ is not signed as those before it"),
        (stripped, r"line \d+: the signature does not fit"),
    ],
)
def test_harm_that_hashes_cannot_tell_is_named(
    promoted: StateDir, harm: Callable[[StateDir], None], named: str
) -> None:
    harm(promoted)
    with pytest.raises(IntegrityError, match=named):
        verified(promoted)


def test_a_manifest_alone_tells_of_a_cut(promoted: StateDir) -> None:
    """Routing documents are few and go; a version's manifest stays as long as the version."""
    for document in promoted.routing.glob("*.json"):
        document.unlink()
    assert verified(promoted) == 0
    promoted.audit.write_bytes(lines(promoted)[0])
    with pytest.raises(IntegrityError, match=r"cut: it ends at entry 1, and v3/manifest\.json saw entry"):
        verified(promoted)


def test_two_logs_that_were_both_continued_are_a_fork(promoted: StateDir, tmp_path: Path) -> None:
    """A state directory was copied, both went on, and one got a document of the other."""
    other = StateDir(tmp_path / "copy")
    shutil.copytree(promoted.root, other.root)
    for state, why in ((promoted, "here"), (other, "there")):
        signer = Signer(state.keys, state.run / "signing.id")
        FileAuditLog(state.audit, key=signer).append("something", "test", why=why)
    document = json.loads((other.routing / "current.json").read_bytes())
    entry = json.loads(lines(other)[-1])
    head = {"n": entry["n"], "hash": entry["hash"], "key_id": entry["key"], "signature": entry["signature"]}
    (promoted.routing / "epoch-900.json").write_text(json.dumps({**document, "audit": head}), "utf-8")
    with pytest.raises(IntegrityError, match=r"a fork after entry \d+: its entry \d+ is not the one that epoch-900"):
        verified(promoted)


def test_a_head_noted_elsewhere_tells_a_cut_that_no_file_can(
    state_dir: StateDir, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        FileAuditLog(state_dir.audit).append("something", "test", number=number)
    verified(state_dir)
    head = capsys.readouterr().out.splitlines()[0].split("head ")[1]
    assert verified(state_dir, "--head", head) == 0
    state_dir.audit.write_bytes(b"".join(lines(state_dir)[:2]))
    assert verified(state_dir) == 0, "no key, no document: nothing else tells"
    with pytest.raises(IntegrityError, match="cut: it ends at entry 2, and the head that was given saw entry 3"):
        verified(state_dir, "--head", head)
    with pytest.raises(SystemExit):
        verified(state_dir, "--head", "3:abc")


def test_a_witness_that_was_tampered_with_counts_for_nothing(
    promoted: StateDir, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads((promoted.routing / "current.json").read_bytes())
    document["audit"]["n"] = 999
    (promoted.routing / "epoch-900.json").write_text(json.dumps(document), "utf-8")
    assert verified(promoted, "--json") == 0
    assert json.loads(capsys.readouterr().out)["doubtful"] == ["epoch-900.json"]


@pytest.mark.parametrize("action", ["verify", "show"])
def test_no_log_is_an_error(tmp_path: Path, action: str) -> None:
    with pytest.raises(NotFound, match="no audit log"):
        audit([action, "--state", str(tmp_path)])


def test_the_figures_behind_a_promotion_stand_under_it(state_dir: StateDir, capsys: pytest.CaptureFixture[str]) -> None:
    steps = [{"share": 0.25, "exposures": 50, "seconds": 12.5, "why": "exposures", "pairs": {"exact": 0.9}}]
    FileAuditLog(state_dir.audit).append(
        "version.promoted", "controller", version="v3", why="25%", gate="gate passed: general exact 0.900 -> 0.950",
        canary=steps,
    )  # fmt: skip
    audit(["show", "--state", str(state_dir.root)])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0].endswith("version=v3 why=25%")
    assert lines[1:] == [
        "gate    gate passed: general exact 0.900 -> 0.950",
        'canary  25%: 50 exposures in 12.5 s (exposures), pairs {"exact": 0.9}',
    ]
