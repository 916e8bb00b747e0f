"""The command line: finds a command in the table, loads it, maps errors to messages and exit codes, once.

argparse's sub-parsers were considered; they would need every command's options, hence its imports, at start.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from understudy import __version__
from understudy.commands import COMMANDS, GROUPS, Command
from understudy.errors import UnderstudyError, UsageError
from understudy.logs import JSON_VARIABLE, tell_error, wants_json

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    if "--log-json" in words:
        words.remove("--log-json")
        os.environ[JSON_VARIABLE] = "1"
    as_json = speaks_json(words)
    try:
        with usage_errors_raised() if as_json or wants_json() else contextlib.nullcontext():
            return run(words)
    except UnderstudyError as error:
        tell(error, as_json)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def speaks_json(words: list[str]) -> bool:
    """Whether these words ask for JSON, so that errors are JSON, too."""
    if "--json" not in words:
        return False
    try:
        return not find(words)[0].json_file
    except UsageError:
        return True


@contextlib.contextmanager
def usage_errors_raised() -> Iterator[None]:
    """Let argparse raise what it would print, within the context; its message names the usage all the same."""

    def refuse(parser: argparse.ArgumentParser, message: str) -> NoReturn:
        raise UsageError(f"{message}; {' '.join(parser.format_usage().split())}")

    usual = argparse.ArgumentParser.error
    argparse.ArgumentParser.error = refuse  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        argparse.ArgumentParser.error = usual  # type: ignore[method-assign]


def tell(error: UnderstudyError, as_json: bool) -> None:
    """Print an error: a sentence on standard error, or an error object on standard output for whoever reads JSON."""
    if not as_json and wants_json():
        tell_error(error.message)
        return
    if not as_json:
        print(f"understudy: {error.message}", file=sys.stderr)
        return
    told = {"message": error.message, "type": error.kind, "param": error.param, "code": error.code}
    print(json.dumps({"error": told}, ensure_ascii=False))


def run(words: list[str]) -> int:
    """Dispatch `words`; errors pass to the caller."""
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if words[0] == "--version":
        print(f"understudy {__version__}")
        return 0
    command, rest = find(words)
    return load(command)(rest)


def find(words: list[str]) -> tuple[Command, list[str]]:
    """The command that the first words name, longest match first, and the words after it.

    Raises:
        UsageError: no command is called so; the message names the nearest.
    """
    for length in (2, 1):
        name = " ".join(words[:length])
        for command in COMMANDS:
            if command.words == name and len(words) >= length:
                return command, words[length:]
    names = [command.words for command in COMMANDS]
    near = difflib.get_close_matches(words[0], names, n=1)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    raise UsageError(f"`{words[0]}` is not a command{hint}; `understudy --help` lists them")


def load(command: Command) -> Callable[[list[str]], int]:
    """Import the command's function.

    Raises:
        UnderstudyError: a package that it needs is not installed.
    """
    module, _, name = command.target.partition(":")
    try:
        found: Callable[[list[str]], int] = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise UnderstudyError(
            f"`{command.words}` needs the package `{error.name}`, which is not installed here: "
            f"run `make install` in the checkout"
        ) from error
    return found


def overview() -> str:
    """The help text: commands by who uses them, each with an example."""
    lines = ["usage: understudy COMMAND [...]   (understudy COMMAND --help shows an example)", ""]
    width = max(len(command.words) for command in COMMANDS) + 2
    for group, explanation in GROUPS.items():
        lines.append(f"{group} ({explanation})")
        for command in COMMANDS:
            if command.group == group:
                lines.append(f"  {command.words:<{width}}{command.help}")
                lines.append(f"  {'':<{width}}  $ {command.example}")
        lines.append("")
    lines.append("With --log-json, or UNDERSTUDY_LOG_JSON=1, a role writes its log as lines of JSON.")
    lines.append("Exit codes: 0 done, 1 failed, 2 wrong usage. `understudy --version` prints the version.")
    return "\n".join(lines)
