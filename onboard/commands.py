"""`understudy models check | import | cut | list`."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from deploy.registry.manifest import Kind, Manifest
from onboard.write.streaming import Advance
from understudy.config import load_config
from understudy.state import DEFAULT_STATE, StateDir

KINDS: tuple[Kind, ...] = ("teacher", "student")
DTYPES = ("keep", "float32", "bfloat16", "float16")


def check(argv: list[str]) -> int:
    """0 when the model can be imported and served here, else 1."""
    parser = _parser(
        "check", "Say what a model is, what serving it costs, and whether it can be served, trained and "
        "swapped in place.",
        "understudy models check ./my-model",
    )  # fmt: skip
    _source(parser)
    parser.add_argument("--as", dest="kind", choices=KINDS, default="teacher", help="the arm (default: %(default)s)")
    given = parser.parse_args(argv)
    from deploy.registry.store import Registry
    from onboard.verdict import judge

    registry = Registry(StateDir(given.state))
    found = judge(given.path, given.kind, registry, _engines(given), given.template, given.base)
    print(json.dumps(found.as_json()) if given.json else str(found))
    return 0 if found.ok else 1


def import_(argv: list[str]) -> int:
    """Register a model; the original is only read."""
    parser = _parser(
        "import", "Make a version of a model: a Hugging Face folder (safetensors), a .gguf file, or a LoRA adapter. "
        "The original is only read. Killed or interrupted, the same command goes on where it stopped.",
        "understudy models import ./my-model --as teacher",
    )  # fmt: skip
    _source(parser)
    parser.add_argument("--as", dest="kind", choices=KINDS, required=True, help="the arm it serves in")
    parser.add_argument("--dtype", choices=DTYPES, default="keep", help="type of its numbers (default: %(default)s)")
    parser.add_argument(
        "--elsewhere", action="store_true", help="it is served on another machine: memory is not checked"
    )
    given = parser.parse_args(argv)
    from onboard.importing import ImportOptions, import_model

    options = ImportOptions(given.kind, given.dtype, given.template, given.base, given.elsewhere)
    with shown(given.json) as show:
        made = import_model(StateDir(given.state), given.path, options, _engines(given), show)
    manifest = made.manifest
    said = {"version": manifest.version, "kind": manifest.kind, "known": made.known, "note": manifest.note,
            "bytes": sum(entry.size for entry in manifest.files.values())}  # fmt: skip
    note = f", {manifest.note}" if manifest.note else ""
    _say(said, f"{manifest.version} {'is this model already' if made.known else 'registered'}{note}", given.json)
    return 0


def cut(argv: list[str]) -> int:
    """Register a first student made of some of a teacher's layers."""
    parser = _parser(
        "cut", "Make a first student of some layers of a teacher, evenly spread, the first and the last among them. "
        "It is registered as unfit: it speaks nonsense until it has learned.",
        "understudy models cut t1 --layers 8 --as student",
    )  # fmt: skip
    parser.add_argument("version", help="the teacher's version, such as t1")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--layers", type=int, help="how many stay")
    which.add_argument("--keep", type=_numbers, metavar="0,1,4", help="which stay")
    parser.add_argument("--as", dest="kind", choices=("student",), default="student", help="what it becomes")
    given = parser.parse_args(argv)
    from onboard import cutting

    state = StateDir(given.state)
    with shown(given.json) as show:
        made = cutting.cut(state, given.version, given.layers, given.keep, show)
    manifest, others = made.manifest, cutting.others_unfit(state, made.manifest.version)
    text = f"{manifest.version} {'is this cut already' if made.known else 'registered'}, {manifest.note}"
    if others and not made.known:
        are, stay = ("is", "stays") if len(others) == 1 else ("are", "stay")
        text += f"; {', '.join(others)} {are} unfit, too, and {stay} registered: "
        text += "the newest is the one that learns, unless `rollout.first_student` names another"
    if live := cutting.live_student(state):
        text += f"; {live} is live, so it learns nothing before there is no live student"
    said = {"version": manifest.version, "known": made.known, "note": manifest.note, "fitness": "unfit",
            "layers": list(manifest.lineage["layers"]), "others_unfit": others, "live": live}  # fmt: skip
    _say(said, text, given.json)
    return 0


def list_(argv: list[str]) -> int:
    """Print the versions of a state directory, newest first."""
    parser = _parser(
        "list", "The versions that a state directory holds, newest first, with their kind, size and origin, whether or "
        "not anything runs. `understudy versions` tells their states from a running system.",
        "understudy models list",
    )  # fmt: skip
    given = parser.parse_args(argv)
    from deploy.registry.store import Registry

    listed = Registry(StateDir(given.state)).versions()
    found = [(one, sum(entry.size for entry in one.files.values())) for one in listed]
    rows = [
        {"version": one.version, "kind": one.kind, "bytes": size, "fitness": "unfit" if one.unfit else None,
         "note": one.note, "parent": one.parent, "source": one.lineage.get("source"), "round": one.round}
        for one, size in found
    ]  # fmt: skip
    lines = [
        f"{one.version:<6} {one.kind:<8} {size / 1e6:>8,.1f} MB  {one.note or _origin(one)}" for one, size in found
    ]
    nothing = f"no versions in {given.state}; the first: understudy models import PATH --as teacher"
    _say({"versions": rows}, "\n".join(lines) or nothing, given.json)
    return 0


def _origin(one: Manifest) -> str:
    """Where a version comes from: the files that were imported, or its round and parent."""
    source = one.lineage.get("source") or (f"round {one.round}" if one.round else one.parent)
    return f"from {source}" if source else ""


@contextmanager
def shown(quiet: bool) -> Iterator[Callable[[str, int], Advance]]:
    """A bar on standard error for each step, unless `quiet`; the only one, since libraries draw some of their own."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=Console(stderr=True, highlight=False), disable=quiet)

    def show(step: str, total: int) -> Advance:
        bar.start()
        task = bar.add_task(step, total=total)
        return lambda count: bar.advance(task, count)

    try:
        yield show
    finally:
        if bar.live.is_started:  # else it would write an empty line
            bar.stop()


def _parser(word: str, description: str, example: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"understudy models {word}", description=description, epilog=f"example: {example}"
    )
    made.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: %(default)s)")
    made.add_argument("--json", action="store_true", help="print JSON, errors too")
    return made


def _source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, help="folder, .gguf file or LoRA adapter")
    parser.add_argument("--template", type=Path, metavar="FILE", help="chat template to use instead of its own (Jinja)")
    parser.add_argument("--base", type=Path, metavar="DIR", help="model that the adapter belongs to")
    parser.add_argument("--config", type=Path, help="your settings, whose section `engines` decides what fits")


def _engines(given: argparse.Namespace) -> Any:
    from serving.engine.config import EnginesConfig

    return load_config(given.config).section(EnginesConfig)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _say(value: dict[str, Any], text: str, as_json: bool) -> None:
    print(json.dumps(value) if as_json else text)
