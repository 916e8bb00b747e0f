"""Who is to serve: versions that were imported or cut, and a teacher that is somebody else's API."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.engines.external import ExternalEngine
from deploy.registry.manifest import Kind, Manifest
from deploy.registry.store import Registry
from serving.engine.sizes import ModelShape, shape_of
from understudy.errors import NotFound, UsageError
from understudy.files import read_json

ADDRESS = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class ChosenVersion:
    """A version that is to serve: its manifest, shape, and the control tokens of its template."""

    manifest: Manifest
    shape: ModelShape
    control: tuple[str, ...]

    @property
    def name(self) -> str:
        """What routing documents call it."""
        return self.manifest.version

    @property
    def said(self) -> str:
        """What the file says of it."""
        source = self.manifest.lineage.get("source", "unknown")
        note = f", {self.manifest.note}" if self.manifest.note else ""
        said = f"{self.manifest.version} ({self.shape.weights / 1e6:.1f} million weights, from {source}{note})"
        return " ".join(said.split())


@dataclass(frozen=True, slots=True)
class ChosenApi:
    """A teacher that is an OpenAI-compatible API."""

    engine: ExternalEngine

    @property
    def name(self) -> str:
        """Its model's name there."""
        return self.engine.model

    @property
    def said(self) -> str:
        """What the file says of it."""
        return f"{self.engine.model} of {self.engine.url}"


Teacher = ChosenVersion | ChosenApi


def chosen(registry: Registry, kind: Kind, version: str | None) -> ChosenVersion:
    """The version of that name, else the one that is asked for, else the only one.

    Raises:
        NotFound: there is none.
        UsageError: it is of the other kind, or nobody says which.
    """
    known = [manifest.version for manifest in registry.versions() if manifest.kind == kind]
    if not known:
        other = {
            "student": "`understudy models cut t1 --layers 8 --as student`",
            "teacher": "`understudy init --teacher https://ADDRESS/v1 --teacher-model NAME` for an API",
        }[kind]
        raise NotFound(f"no {kind} is registered: `understudy models import DIR --as {kind}`, or {other}")
    if version is None:
        if len(known) > 1 and not sys.stdin.isatty():
            raise UsageError(f"which {kind}? give --{kind}, one of {', '.join(known)}")
        version = known[0] if len(known) == 1 else asked(f"the {kind}, one of {', '.join(known)}", known[0])
    manifest = registry.manifest(version)
    if manifest.kind != kind:
        raise UsageError(f"{version} is a {manifest.kind}, and was given as the {kind} (there are: {', '.join(known)})")
    folder = registry.path(version)
    return ChosenVersion(
        manifest, shape_of(folder), tuple(manifest.lineage.get("control_tokens") or special_tokens(folder))
    )


def api(url: str, model: str | None, key_env: str | None, daily_tokens: int | None) -> ChosenApi:
    """The API at `url`; its model's name, the variable that holds its key and the cap are asked for where not given.

    Raises:
        UsageError: nobody says what the model is called there, or the cap is no cap.
    """
    cap = None if daily_tokens is None else _cap(str(daily_tokens))
    model = model or asked("name of the model there", "")
    if not model:
        raise UsageError("what is the model called there? give --teacher-model, a name that its /v1/models lists")
    if key_env is None:
        key_env = asked("environment variable that holds the API's key; empty: it asks for none", "")
    if cap is None and (said := asked("tokens a day that the API may cost; empty: no cap", "")):
        cap = _cap(said)
    return ChosenApi(ExternalEngine(url=url, model=model, api_key_env=key_env, daily_tokens=cap))


def _cap(said: str) -> int:
    if not said.isdecimal() or int(said) < 1:
        raise UsageError(f"--daily-tokens was given {said}: a number, at least 1, or leave it out for no cap")
    return int(said)


def special_tokens(folder: Path) -> list[str]:
    """The special tokens of a folder's tokenizer."""
    try:
        rows = read_json(folder / "tokenizer.json").get("added_tokens") or []
    except (OSError, ValueError, AttributeError):
        return []
    return [row["content"] for row in rows if row.get("special") and len(row["content"]) > 1]


def shares_tokenizer(teacher: ChosenVersion, student: ChosenVersion) -> bool:
    """Whether the two cut text into the same tokens and mark turns alike, as soft targets need it."""
    files = (teacher.manifest.files, student.manifest.files)
    return all(
        (first := files[0].get(name)) is not None and first == files[1].get(name)
        for name in ("tokenizer.json", "chat_template.jinja")
    )


def asked(what: str, default: str) -> str:
    """The answer of whoever sits at the terminal; the default where nobody does, or for an empty line."""
    if not sys.stdin.isatty():
        return default
    print(f"{what} [{default}]: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() or default
