"""Put SmolLM2 as the teacher t1, and a cut of it as the first student, into a state directory.

Run by `understudy up` in a process of its own. Each step that was done is not done again, and one that was killed
goes on: fetch, convert and import, cut.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from deploy.registry.store import Registry
from examples.smollm2 import fetch
from examples.smollm2.dialogues import SAMPLE, customer_turns
from onboard.cutting import cut
from onboard.importing import ImportOptions, Show, import_model
from serving.engine.config import EnginesConfig
from serving.engine.launch.obstacles import free_bytes
from understudy.config import load_config
from understudy.errors import UnderstudyError
from understudy.state import DEFAULT_STATE, StateDir

LAYERS = 8
MEMORY_BYTES = 1500 << 20
"""Of the conversion, beside which nothing runs yet."""


def lacking(prompts: Path, state: StateDir, free: int | None = None) -> Iterator[str]:
    """What stands in the way on this machine, a sentence each; the network is tried when it is needed."""
    try:
        customer_turns(prompts)
    except UnderstudyError as error:
        yield error.message
    free = free_bytes() if free is None else free
    if taught(state) is None and free < MEMORY_BYTES:
        yield (
            f"converting SmolLM2 takes about {MEMORY_BYTES >> 20} MiB of memory, {free >> 20} MiB are free: "
            "end other programs"
        )


def install(state: StateDir, layers: int, engines: EnginesConfig, show: Show, elsewhere: bool = False) -> list[str]:
    """Register teacher and student where they are missing; returns the names of both.

    Raises:
        NotFetched, IntegrityError: the file cannot be had, or is another one.
        ModelRefused: too little memory for three engines, or a number of layers that cannot be cut.
    """
    teacher = taught(state)
    if teacher is None:
        file = fetch.gguf()
        options = ImportOptions("teacher", elsewhere=elsewhere)
        teacher = import_model(state, file, options, engines, show).manifest.version
    return [teacher, cut(state, teacher, layers, None, show).manifest.version]


def taught(state: StateDir) -> str | None:
    """The version of SmolLM2 that is here already; None without one."""
    for manifest in Registry(state).versions():
        if manifest.kind == "teacher" and fetch.SHA256 in dict(manifest.lineage.get("files", {})).values():
            return manifest.version
    return None


def engines_of(state: StateDir) -> EnginesConfig:
    """The settings with which `up` is going to run the engines."""
    composed = state.run / "config.yaml"
    return load_config(composed if composed.is_file() else None).section(EnginesConfig)


def told(step: str, total: int) -> Callable[[int], None]:
    """Print each step as it begins: `up` shows the last line."""
    print(f"{step}, {total / 1e6:.0f} MB", flush=True)
    return lambda count: None


def main(argv: list[str] | None = None) -> int:
    """Command line; 1 with a message when the models cannot be had."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: python -m examples.smollm2.install --state .understudy-smollm2"
    )
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE)
    parser.add_argument("--check", action="store_true", help="only say what is lacking; 1 if anything is")
    parser.add_argument("--layers", type=int, default=LAYERS, help="of 30 that the student keeps (%(default)s)")
    parser.add_argument("--prompts", type=Path, default=SAMPLE, help="dialogues that will be played")
    options = parser.parse_args(argv)
    if options.check:
        found = list(lacking(options.prompts, StateDir(options.state)))
        print(*found, sep="\n", end="\n" * bool(found))
        return 1 if found else 0
    state = StateDir(options.state)
    os.environ["TQDM_DISABLE"] = "1"  # libraries draw bars of their own; the steps are told already
    try:
        versions = install(state, options.layers, engines_of(state), told)
    except UnderstudyError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    print(f"teacher {versions[0]}, student {versions[1]} ({options.layers} of 30 layers)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
