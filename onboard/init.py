"""`understudy init`: a configuration for a teacher and a student that were imported, with a comment on each line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from deploy.registry.manifest import Kind, Manifest
from deploy.registry.store import Registry
from serving.engine.config import EnginesConfig
from serving.engine.sizes import MIB, EngineSize, ModelShape, engine_size, shape_of
from understudy.config import Config
from understudy.errors import Conflict, NotFound, UsageError
from understudy.files import read_json, write_atomic
from understudy.state import DEFAULT_STATE, StateDir

LONGEST = 4096
"""Tokens of a text that is served, where the models allow so many."""
AT_ONCE = 8
"""Texts of that length that the key-value cache holds."""
DEFAULT_OUT = Path("understudy.yaml")


@dataclass(frozen=True, slots=True)
class ChosenVersion:
    """A version that is to serve: its manifest, shape, and the control tokens of its template."""

    manifest: Manifest
    shape: ModelShape
    control: tuple[str, ...]

    @property
    def said(self) -> str:
        """What the file says of it."""
        source = self.manifest.lineage.get("source", "unknown")
        note = f", {self.manifest.note}" if self.manifest.note else ""
        said = f"{self.manifest.version} ({self.shape.weights / 1e6:.1f} million weights, from {source}{note})"
        return " ".join(said.split())


def main(argv: list[str]) -> int:
    """Write the file; asks what no flag gives where somebody sits at the terminal."""
    parser = argparse.ArgumentParser(
        prog="understudy init",
        description="Write a configuration, with comments, for a teacher and a student that `understudy models import` "
        "or `models cut` made; `understudy up --config FILE` runs it. Asks what no flag gives.",
        epilog="example: understudy init --teacher t1 --student v1 --out understudy.yaml",
    )
    parser.add_argument("--teacher", help="version of the teacher, such as t1")
    parser.add_argument("--student", help="version of the student, such as v1")
    parser.add_argument("--student-share", type=float, help="share of `auto` that the student answers at first (0)")
    parser.add_argument("--out", type=Path, help=f"file to write ({DEFAULT_OUT})")
    parser.add_argument("--force", action="store_true", help="overwrite the file")
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(argv)
    registry = Registry(StateDir(given.state))
    teacher = arm(registry, "teacher", given.teacher)
    student = arm(registry, "student", given.student)
    out = given.out or Path(_asked("file to write", str(DEFAULT_OUT)))
    share = given.student_share
    if share is None:
        share = float(_asked("share of requests that the student answers at first", "0"))
    if not 0 <= share <= 1:
        raise UsageError(f"--student-share was given {share:g}: it is a share, 0 to 1")
    if student.manifest.unfit and share > 0:
        raise UsageError(f"{student.manifest.note}: it speaks nonsense until it has learned; give --student-share 0")
    if out.exists() and not given.force:
        raise Conflict(f"{out} exists: give another name by --out, or --force")
    text = written(teacher, student, share, given.state)
    Config(yaml.safe_load(text), str(out)).check()
    write_atomic(out, text)
    command = f"understudy up --config {out}" + ("" if given.state == DEFAULT_STATE else f" --state {given.state}")
    said = {"file": str(out), "teacher": teacher.manifest.version, "student": student.manifest.version, "next": command}
    if given.json:
        print(json.dumps({**said, "shared_tokenizer": shares_tokenizer(teacher, student)}))
    else:
        print(f"{out} written; next: {command}")
        if not shares_tokenizer(teacher, student):
            print(APART, file=sys.stderr)
    return 0


def arm(registry: Registry, kind: Kind, version: str | None) -> ChosenVersion:
    """The version of that name, else the one that is asked for, else the only one.

    Raises:
        NotFound: there is none.
        UsageError: it is of the other kind, or nobody says which.
    """
    known = [manifest.version for manifest in registry.versions() if manifest.kind == kind]
    if not known:
        other = ", or `understudy models cut t1 --layers 8 --as student`" if kind == "student" else ""
        raise NotFound(f"no {kind} is registered: `understudy models import DIR --as {kind}`{other}")
    if version is None:
        if len(known) > 1 and not sys.stdin.isatty():
            raise UsageError(f"which {kind}? give --{kind}, one of {', '.join(known)}")
        version = known[0] if len(known) == 1 else _asked(f"the {kind}, one of {', '.join(known)}", known[0])
    manifest = registry.manifest(version)
    if manifest.kind != kind:
        raise UsageError(f"{version} is a {manifest.kind}, and was given as the {kind} (there are: {', '.join(known)})")
    folder = registry.path(version)
    return ChosenVersion(
        manifest, shape_of(folder), tuple(manifest.lineage.get("control_tokens") or special_tokens(folder))
    )


def shares_tokenizer(teacher: ChosenVersion, student: ChosenVersion) -> bool:
    """Whether the two cut text into the same tokens and mark turns alike, as soft targets need it."""
    files = (teacher.manifest.files, student.manifest.files)
    return all(
        (first := files[0].get(name)) is not None and first == files[1].get(name)
        for name in ("tokenizer.json", "chat_template.jinja")
    )


def special_tokens(folder: Path) -> list[str]:
    """The special tokens of a folder's tokenizer."""
    try:
        rows = read_json(folder / "tokenizer.json").get("added_tokens") or []
    except (OSError, ValueError, AttributeError):
        return []
    return [row["content"] for row in rows if row.get("special") and len(row["content"]) > 1]


APART = (
    "the two differ in tokenizer or chat template: the student learns by the teacher's text alone, since soft targets "
    "need one vocabulary; `understudy status` says so"
)


def longest(teacher: ModelShape, student: ModelShape) -> int:
    """Tokens of the longest text that both arms can serve."""
    return min(shape.longest or LONGEST for shape in (teacher, student, ModelShape(0, 0, 0, LONGEST)))


def written(teacher: ChosenVersion, student: ChosenVersion, share: float, state: Path) -> str:
    """The file's text."""
    length = longest(teacher.shape, student.shape)
    plain = EnginesConfig(max_model_len=length)
    token = max(engine_size(one.shape, plain, forked=True).token for one in (teacher, student))
    cache = max(64 * MIB, -(-token * length * AT_ONCE // MIB) * MIB)
    engines = plain.model_copy(update={"kv_cache_bytes": cache})
    sizes = {one.manifest.version: engine_size(one.shape, engines, forked=True) for one in (teacher, student)}
    needed = sizes[teacher.manifest.version].total + 2 * sizes[student.manifest.version].total
    control = sorted({*teacher.control, *student.control})
    return TEXT.format(
        teacher=teacher.said, student=student.said,
        apart="" if shares_tokenizer(teacher, student) else f"# {APART}\n",
        t=teacher.manifest.version, v=student.manifest.version, unfit=UNFIT if student.manifest.unfit else "",
        sizes=_sizes(sizes), state="" if state == DEFAULT_STATE else f" --state {state}", cache=cache, length=length,
        at_once=AT_ONCE, needed=needed // MIB, share=f"{share:g}", rest=f"{round(1 - share, 6):g}",
        control="\n".join(f"    - {json.dumps(token, ensure_ascii=False)}" for token in control) or "    []",
    )  # fmt: skip


TEXT = """\
# Written by `understudy init`. Run it:      understudy up --config THIS_FILE{state}
#   teacher  {teacher}
#   student  {student}
{apart}# `understudy config schema` describes every key; what is left out here has its default.

engines:
  device: auto              # a GPU where there is one, else the CPU
  dtype: auto               # on a CPU float32, which runs everywhere; bfloat16 takes half the memory
  max_model_len: {length}       # tokens of prompt and reply together
  kv_cache_bytes: {cache}   # of each engine: {at_once} texts of that length at once
{sizes}

gateway:
  host: 127.0.0.1           # 0.0.0.0 lets other machines in; then configure api_keys, too
  port: 8000                # your applications call http://127.0.0.1:8000/v1
  control_tokens:           # what marks turns in the two chat templates, and is split inside messages
{control}

control:
  port: 8001                # status, rollback, promote; token in the state directory, run/admin.token

router:
  default: {{teacher: {rest}, student: {share}}}   # who answers `model: auto`; the student learns at any share

{unfit}rollout:
  first_teacher: {t}
  first_student: {v}
  steps:                    # a better student gets this share once so many of its replies went well
    - {{share: 0.05, min_exposures: 100}}
    - {{share: 0.25, min_exposures: 300}}
    - {{share: 1.0, min_exposures: 300}}

up:
  application: null         # your own applications send the traffic
  min_memory_mib: {needed}      # teacher, student and a slot for its successor
  ready_seconds: 600        # until both engines have answered once
"""


UNFIT = """\
gate:                       # the student is unfit: it learns from copies and answers nobody, until on held-out prompts
  fit_agreement: 0.85       # it says so large a share of the teacher's tokens
  fit_rows: 100             # on so many of them at least

"""


def _sizes(sizes: Mapping[str, EngineSize]) -> str:
    return "\n".join(
        f"  # {version}: {size.total // MIB} MiB an engine (weights {size.weights // MIB}, once more to load "
        f"{size.loading // MIB}, cache {size.kv_cache // MIB}, engine {size.overhead // MIB})"
        for version, size in sizes.items()
    )


def _asked(what: str, default: str) -> str:
    """The answer of whoever sits at the terminal; the default where nobody does, or for an empty line."""
    if not sys.stdin.isatty():
        return default
    print(f"{what} [{default}]: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() or default
