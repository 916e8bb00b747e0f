"""`understudy init`: a configuration for a teacher and a student, with a comment on each line."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import yaml

from deploy.registry.store import Registry
from onboard.chosen import ADDRESS, ChosenVersion, Teacher, api, asked, chosen, shares_tokenizer
from onboard.configuration import told, written
from understudy.config import Config
from understudy.errors import Conflict, UsageError
from understudy.files import write_atomic
from understudy.state import DEFAULT_STATE, StateDir

DEFAULT_OUT = Path("understudy.yaml")
OF_APIS = ("teacher_model", "teacher_key_env", "daily_tokens")


def main(argv: list[str]) -> int:
    """Write the file; asks what no flag gives where somebody sits at the terminal."""
    given = parser().parse_args(argv)
    registry = Registry(StateDir(given.state))
    teacher: Teacher
    if (given.teacher or "").startswith(ADDRESS):
        teacher = api(given.teacher, given.teacher_model, given.teacher_key_env, given.daily_tokens)
    elif wrong := [name for name in OF_APIS if getattr(given, name) is not None]:
        raise UsageError(f"--{wrong[0].replace('_', '-')} is of an API: give its address, --teacher https://...")
    else:
        teacher = chosen(registry, "teacher", given.teacher)
    student = chosen(registry, "student", given.student)
    out = given.out or Path(asked("file to write", str(DEFAULT_OUT)))
    share = first_share(given.student_share)
    if student.manifest.unfit and share > 0:
        raise UsageError(f"{student.manifest.note}: it speaks nonsense until it has learned; give --student-share 0")
    if out.exists() and not given.force:
        raise Conflict(f"{out} exists: give another name by --out, or --force")
    text = written(teacher, student, share, given.state)
    Config(yaml.safe_load(text), str(out)).check()
    write_atomic(out, text)
    command = f"understudy up --config {out}" + ("" if given.state == DEFAULT_STATE else f" --state {given.state}")
    said = {"file": str(out), "teacher": teacher.name, "student": student.name, "next": command}
    if given.json:
        alike = shares_tokenizer(teacher, student) if isinstance(teacher, ChosenVersion) else None
        print(json.dumps({**said, "shared_tokenizer": alike}))
        return 0
    print(f"{out} written; next: {command}")
    if note := told(teacher, student):
        print(note, file=sys.stderr)
    return 0


def first_share(given: str | None) -> float:
    """The student's share at first; asked for where none is given.

    Raises:
        UsageError: it is none.
    """
    said = given or asked("share of requests that the student answers at first", "0")
    try:
        share = float(said)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"--student-share was given {said}: it is a share, 0 to 1")
    return share


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        prog="understudy init",
        description="Write a configuration, with comments, for a student that `understudy models import` or "
        "`models cut` made, and its teacher: a version, too, or an OpenAI-compatible API. `understudy up --config "
        "FILE` runs it. Asks what no flag gives.",
        epilog="examples: understudy init --teacher t1 --student v1 --out understudy.yaml; understudy init --teacher "
        "https://api.example.com/v1 --teacher-model big --teacher-key-env TEACHER_KEY --student v1",
    )
    made.add_argument("--teacher", help="version of the teacher, such as t1, or address of an API, such as https://...")
    made.add_argument("--teacher-model", metavar="NAME", help="what the model is called at the API")
    made.add_argument("--teacher-key-env", metavar="VARIABLE", help="environment variable that holds the API's key")
    made.add_argument("--daily-tokens", type=int, metavar="N", help="tokens a day that the API may cost (no cap)")
    made.add_argument("--student", help="version of the student, such as v1")
    made.add_argument("--student-share", metavar="SHARE", help="share of `auto` that the student answers at first (0)")
    made.add_argument("--out", type=Path, help=f"file to write ({DEFAULT_OUT})")
    made.add_argument("--force", action="store_true", help="overwrite the file")
    made.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: %(default)s)")
    made.add_argument("--json", action="store_true", help="print JSON")
    return made
