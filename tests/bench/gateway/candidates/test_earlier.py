"""Earlier states of the product beside this one: which revisions, in which order, and their files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bench.gateway.candidates import earlier
from bench.gateway.candidates.earlier import AT, checkout, revisions, subject
from bench.gateway.candidates.starting import ALL, BARE, one_of
from understudy.errors import UsageError

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
COMMIT = ("-c", "user.name=n", "-c", "user.email=e@example.com", "commit", "-q", "-m")


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Short names of two commits of a repository, in their order."""
    root = tmp_path / "repository"
    root.mkdir()
    monkeypatch.setattr(earlier, "ROOT", root)
    git = lambda *words: subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True)  # noqa: E731
    git("init", "-q")
    made = []
    for day, text in ((1, "slow"), (2, "fast")):
        (root / "speed").write_text(text)
        git("add", ".")
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"2026-01-0{day}T00:00:00Z")
        git(*COMMIT, f"Be {text}")
        made.append(git("log", "-1", "--format=%h").stdout.decode().strip())
    return made


@needs_git
def test_revisions_come_in_the_order_of_the_history(history: list[str]) -> None:
    slow, fast = history
    assert revisions(f"HEAD,{slow}") == [slow, fast]
    assert revisions("") == []
    assert subject(slow) == "Be slow"


@needs_git
@pytest.mark.parametrize("given", ["nowhere", "--all", "HEAD,;"])
def test_what_is_no_revision_is_refused(history: list[str], given: str) -> None:
    with pytest.raises(UsageError):
        revisions(given)


@needs_git
def test_a_revision_has_its_own_files(history: list[str], tmp_path: Path) -> None:
    slow, _ = history
    for _ in range(2):
        assert (checkout(slow, tmp_path) / "speed").read_text() == "slow"


def test_a_candidate_of_a_revision_is_one_of_ours() -> None:
    assert (one_of(f"{ALL}{AT}abc1234"), one_of(f"{BARE} x2")) == ((ALL, 1), (BARE, 2))


def test_without_git_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="needs git"):
        revisions("HEAD")
