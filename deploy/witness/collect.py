"""Finds the heads of the audit log that a state directory's documents and manifests carry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from deploy.audit.chain import ChainHead
from deploy.audit.heads import AuditHead
from deploy.audit.log_file import FileAuditLog
from deploy.registry.manifest import MANIFEST, Manifest
from deploy.registry.signing import Signer
from deploy.witness.compare import Witness, disagreements
from understudy.errors import IntegrityError
from understudy.files import read_json
from understudy.state import StateDir


@dataclass(frozen=True, slots=True)
class Verified:
    """A log that holds: its head, how many witnesses agree, and those whose own signature does not fit."""

    head: ChainHead
    witnesses: int
    doubtful: list[str] = field(default_factory=list)


def verify(state: StateDir, noted: AuditHead | None = None) -> Verified:
    """Check the chain, its signatures, and every head that can be found; `noted` is one more, kept by the caller.

    Raises:
        IntegrityError: naming the line that does not fit, or what was cut, forked or written anew.
    """
    signer = Signer(state.keys, state.run / "signing.id")
    log = FileAuditLog(state.audit, key=signer)
    head = log.verify()
    witnesses, doubtful = [], []
    for witness, vouched in _found(state, signer):
        if vouched:
            witnesses.append(witness)
        else:
            doubtful.append(witness.where)
    if noted is not None:
        witnesses.append(Witness("the head that was given", noted))
    wanted = {one.head.n for one in witnesses}
    hashes = {entry["n"]: entry["hash"] for entry in log.entries() if entry["n"] in wanted}
    wrong = disagreements(witnesses, hashes, head.entries, head.signed)
    if wrong:
        raise IntegrityError(f"{state.audit.name} is not what it was: {'; '.join(wrong)}")
    return Verified(head, len(witnesses), doubtful)


def _found(state: StateDir, signer: Signer) -> Iterator[tuple[Witness, bool]]:
    """Every head, and whether a signature vouches for it."""
    for path in sorted(state.routing.glob("*.json")):
        try:
            head = AuditHead.model_validate(read_json(path)["audit"])
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            continue
        yield Witness(path.name, head), _vouched(signer, head.signed_bytes(), head.key_id, head.signature)
    for folder in (state.versions, state.registry / "archive"):
        for path in sorted(folder.glob(f"[!.]*/{MANIFEST}")):
            if (witness := _of_manifest(path)) is not None:
                manifest, head = witness
                fits = _vouched(signer, manifest.signed_bytes(), manifest.key_id, manifest.signature)
                yield Witness(f"{path.parent.name}/{MANIFEST}", head), fits


def _of_manifest(path: Path) -> tuple[Manifest, AuditHead] | None:
    try:
        manifest = Manifest.model_validate(read_json(path))
    except (OSError, ValueError, ValidationError, RecursionError):
        return None
    return None if manifest.audit is None else (manifest, manifest.audit)


def _vouched(signer: Signer, data: bytes, key_id: str, signature: str) -> bool:
    try:
        signer.verify(data, key_id, signature)
    except IntegrityError:
        return False
    return True
