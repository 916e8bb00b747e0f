"""Compiled where it is run: an engine that costs next to nothing (`engine.c`), and a load of streams (`streams.c`).

In Python either takes more of a core than the gateway does. Nothing else is in here.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Literal

from understudy.errors import UsageError

NativeProgram = Literal["engine", "streams"]


def compiler() -> str:
    """The machine's C compiler.

    Raises:
        UsageError: it has none.
    """
    found = shutil.which("cc") or shutil.which("gcc")
    if found is None:
        raise UsageError("this benchmark builds its engine and needs a C compiler: install one, as `apt install gcc`")
    return found


def built(name: NativeProgram, folder: Path) -> Path:
    """The program, built in `folder` unless it is there.

    Raises:
        UsageError: there is no compiler.
    """
    program = folder / name
    if not program.exists():
        source = Path(__file__).with_name(f"{name}.c")
        subprocess.run([compiler(), "-O2", "-o", str(program), str(source)], check=True)
    return program
