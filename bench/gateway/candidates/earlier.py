"""Earlier states of the product as candidates, so that what a change brought is measured on one machine in one run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from trials.system import ROOT
from understudy.errors import UsageError

AT = " at "
"""Before the revision in a candidate's name."""


def revisions(given: str) -> list[str]:
    """Short names of the revisions that are given with commas between, in the order of the history.

    Raises:
        UsageError: one is none of this repository.
    """
    wanted = [one for one in given.split(",") if one]
    if not wanted:
        return []
    for one in wanted:
        if not re.fullmatch(r"[0-9a-zA-Z][\w./~^-]*", one):
            raise UsageError(f"`{one}` is no revision")
    return _git("log", "--no-walk=sorted", "--reverse", "--format=%h", *wanted).split()


def subject(revision: str) -> str:
    """The first line of what a revision says about itself."""
    return _git("log", "-1", "--format=%s", revision)


def checkout(revision: str, folder: Path) -> Path:
    """The files of a revision, in a folder of its own within `folder`."""
    made = folder / revision
    if not made.exists():
        made.mkdir()
        archive = subprocess.Popen(["git", "-C", str(ROOT), "archive", revision], stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", str(made)], stdin=archive.stdout, check=True)
        archive.wait()
    return made


def _git(*words: str) -> str:
    if shutil.which("git") is None:
        raise UsageError("`--since` needs git")
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True)
    if done.returncode:
        raise UsageError(f"`--since` asks git, which says: {done.stderr.strip()}")
    return done.stdout.strip()
