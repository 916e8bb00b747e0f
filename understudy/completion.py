"""`understudy completion bash|zsh|fish`: what a shell needs to complete commands, made from the command table.

argcomplete and shtab were considered; both ask for every parser, hence for every command's imports, at each Tab.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from understudy.commands import COMMANDS

OPTIONS = ("--help", "--json", "--state")
"""What every command takes; those with a value of a path are followed by files."""
HOW = {
    "bash": 'eval "$(understudy completion bash)"   # in ~/.bashrc',
    "zsh": 'eval "$(understudy completion zsh)"   # in ~/.zshrc, after compinit',
    "fish": "understudy completion fish > ~/.config/fish/completions/understudy.fish",
}


def words() -> dict[str, tuple[str, ...]]:
    """By first word of a command what may follow it: second words and actions."""
    found: dict[str, list[str]] = {}
    for command in COMMANDS:
        first, _, second = command.words.partition(" ")
        follow = found.setdefault(first, [])
        follow += [second] if second else command.actions
    return {first: tuple(dict.fromkeys(follow)) for first, follow in found.items()}


def bash() -> str:
    """A function for `complete`."""
    cases = "\n".join(f'    {first}) words="{" ".join(follow)}" ;;' for first, follow in words().items() if follow)
    return f"""_understudy() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{" ".join(words())} --help --version" -- "$current"))
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{cases}
  esac
  [ "$COMP_CWORD" -gt 2 ] && words=""
  case "$current" in
    -*) COMPREPLY=($(compgen -W "{" ".join(OPTIONS)}" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$words" -- "$current") $(compgen -f -- "$current")) ;;
  esac
}}
complete -o filenames -F _understudy understudy"""


def zsh() -> str:
    """The same function, by zsh's own emulation of `complete`."""
    return f"autoload -U +X bashcompinit && bashcompinit\n{bash()}"


def fish() -> str:
    """One line for each word."""
    lines = ["complete -c understudy -e"]
    helps = {command.words: command.help for command in COMMANDS}
    for first, follow in words().items():
        told = helps.get(first, "").replace("'", "\\'")
        lines.append(f"complete -c understudy -n __fish_use_subcommand -f -a {first} -d '{told}'")
        if follow:
            lines.append(f"complete -c understudy -n '__fish_seen_subcommand_from {first}' -a '{' '.join(follow)}'")
    lines += [f"complete -c understudy -l {option.removeprefix('--')}" for option in OPTIONS]
    return "\n".join(lines)


SHELLS: dict[str, Callable[[], str]] = {"bash": bash, "zsh": zsh, "fish": fish}


def main(argv: list[str]) -> int:
    """Entry point; prints the script."""
    parser = argparse.ArgumentParser(
        prog="understudy completion", description="Print what a shell needs to complete commands.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n" + "\n".join(f"  {how}" for how in HOW.values()),
    )  # fmt: skip
    parser.add_argument("shell", choices=tuple(SHELLS))
    parser.add_argument("--state", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    print(SHELLS[parser.parse_args(argv).shell]())
    return 0
