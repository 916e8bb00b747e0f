"""What docs/guide.md says of a backup, read from its text."""

from __future__ import annotations

import re

from trials.system import ROOT


def kept_in_a_backup() -> list[str]:
    """Folders of the state directory that it names to be backed up."""
    named, _ = _paragraph().split("To bring it back", 1)
    return re.findall(r"`(\w+)/`", named)


def left_out_of_a_backup() -> list[str]:
    """Those that it says are made anew, or need not be kept."""
    _, told = _paragraph().split("To bring it back", 1)
    return re.findall(r"`(\w+)/`", told)


def _paragraph() -> str:
    page = (ROOT / "docs" / "guide.md").read_text("utf-8")
    (found,) = re.findall(r"^- \*\*Back up\*\*(.*?)^- \*\*", page, re.MULTILINE | re.DOTALL)
    return str(found)
