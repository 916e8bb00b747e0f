"""How many files and sockets a process may have open."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(("soft", "hard", "raised"), [(64, 256, 256), (256, 256, 256), (100, 1000, 1000)])
def test_the_soft_limit_is_raised_as_far_as_it_may(soft: int, hard: int, raised: int) -> None:
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "from understudy.process import descriptors\n"
        "print(descriptors.limit(), descriptors.raise_limit(), descriptors.limit())\n"
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert [int(word) for word in said] == [soft, raised, raised, raised, hard]
