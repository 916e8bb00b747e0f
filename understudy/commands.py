"""The command table: words -> where the function is, who uses it, one line of help, an example.

Functions are named, not imported, so that `understudy --help` starts fast and a command loads only its own part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Group = Literal["Try it", "Bring your own models", "Run a role", "Operate", "Look into it"]
GROUPS: dict[Group, str] = {
    "Try it": "one machine, embedded defaults",
    "Bring your own models": "on files alone; docs/your-models.md",
    "Run a role": "one process each, as `up` and the pods start them",
    "Operate": "against a running control plane",
    "Look into it": "on files alone",
}


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its words, `module:function` taking the remaining words, help and example."""

    words: str
    target: str
    group: Group
    help: str
    example: str
    actions: tuple[str, ...] = ()
    """What its first word after it may be, where those are fixed."""
    json_file: bool = False
    """Whether its `--json` names a file for a report, and does not make it speak JSON."""


COMMANDS: tuple[Command, ...] = (
    Command("up", "serving.up.main:main", "Try it",
            "everything on this machine, with demo models and traffic", "understudy up --state .understudy",
            json_file=True),
    Command("replay", "serving.replay:main", "Try it",
            "send dialogues of a file through the data plane",
            "understudy replay docs/examples/dialogues.jsonl --rate 5"),
    Command("doctor", "serving.doctor:main", "Try it",
            "say whether this machine can run it, and what to change", "understudy doctor"),
    Command("serve", "serving.serve:main", "Run a role",
            "the gateway", "understudy serve --config understudy.yaml"),
    Command("engine", "serving.engine.main:main", "Run a role",
            "the agent of one engine slot", "understudy engine student-a --state .understudy",
            ("teacher", "student-a", "student-b")),
    Command("worker", "serving.worker:main", "Run a role",
            "shadow traffic, checks, pool, KPIs", "understudy worker --state .understudy"),
    Command("train", "online_distill.role.main:main", "Run a role",
            "the trainer: rounds from the pool to a candidate", "understudy train --once --state .understudy"),
    Command("controller", "serving.controller:main", "Run a role",
            "gate, canary, promotion, rollback and the control plane", "understudy controller --state .understudy"),
    Command("status", "serving.control.commands:status", "Operate",
            "what is live, ready and under way", "understudy status --json"),
    Command("versions", "serving.control.commands:versions", "Operate",
            "versions and their states, newest first", "understudy versions"),
    Command("rollback", "serving.control.commands:rollback", "Operate",
            "back to the previous version, or to a named one", "understudy rollback --why worse"),
    Command("promote", "serving.control.commands:promote", "Operate",
            "make a version live by hand", "understudy promote v2"),
    Command("freeze", "serving.control.commands:freeze", "Operate",
            "stop promotion, learning or the student", "understudy freeze promotion --why incident-7",
            ("promotion", "learning", "student")),
    Command("resume", "serving.control.commands:resume", "Operate",
            "undo a freeze", "understudy resume promotion",
            ("promotion", "learning", "student")),
    Command("experiment assign", "ab.commands:assign", "Look into it",
            "bucket and arm of each unit",
            "understudy experiment assign docs/experiment.yaml --units docs/examples/users.txt"),
    Command("experiment analyse", "ab.commands:analyse", "Look into it",
            "judge an experiment on rows of its units",
            "understudy experiment analyse docs/examples/experiment.yaml --data docs/examples/rows.jsonl"),
    Command("experiment export", "serving.rows_export:main", "Look into it",
            "write users' rows of an experiment to a Parquet or CSV file, without text",
            "understudy experiment export student-half rows.parquet"),
    Command("experiment plan", "serving.control.commands:plan", "Look into it",
            "units, days and power, by what the KPI did before",
            "understudy experiment plan docs/examples/experiment.yaml --data docs/examples/rows.jsonl"),
    Command("attribute", "ab.commands:attribute", "Look into it",
            "exact Shapley values of what caused a change", "understudy attribute docs/examples/values.json"),
    Command("experiment", "serving.control.commands:experiment", "Operate",
            "list, show, apply, results, stop", "understudy experiment apply docs/experiment.yaml",
            ("list", "show", "apply", "results", "stop")),
    Command("pool export", "serving.pool_export:main", "Look into it",
            "write the hard pool's texts to a file", "understudy pool export --out pool.jsonl"),
    Command("pool", "serving.control.commands:pool", "Operate",
            "show or purge the hard pool", "understudy pool show", ("show", "purge")),
    Command("kpis", "serving.control.commands:kpis", "Operate",
            "KPIs by arm or version", "understudy kpis --by version"),
    Command("guard release", "serving.control.guarding.commands:release", "Operate",
            "close the breaker of a user whose requests the guard degraded",
            "understudy guard release 3f2a9c0d11e87b654320 --why appeal"),
    Command("guard set", "serving.control.guarding.commands:set_", "Operate",
            "modes, thresholds and exceptions of the guard, in force within a second",
            "understudy guard set --allow --tenant shop --days 14 --why 'quiz about jailbreaks'"),
    Command("guard flagged", "serving.control.guarding.commands:flagged", "Operate",
            "list, show or mark what the guard flagged or degraded", "understudy guard flagged list --appeals",
            ("list", "show", "mark")),
    Command("dead", "serving.control.commands:dead", "Operate",
            "list, show or put back what could not be applied", "understudy dead list exchanges",
            ("list", "show", "replay")),
    Command("rounds repeat", "online_distill.role.repeat:main", "Look into it",
            "train a finished round again and compare the bits", "understudy rounds repeat 1 --state .understudy"),
    Command("rounds attribute", "online_distill.role.attribution.commands:main", "Look into it",
            "what kinds of data and channels of the loss did for a round's student",
            "understudy rounds attribute 1 --state .understudy"),
    Command("rounds", "serving.control.commands:rounds", "Operate",
            "list, show, start or abort rounds of distillation", "understudy rounds start",
            ("list", "show", "start", "abort")),
    Command("guard show", "serving.guard.commands:show", "Look into it",
            "modes and thresholds of the guard, and where each comes from", "understudy guard show"),
    Command("guard tune", "serving.guard.commands:tune", "Look into it",
            "thresholds that flag no more than a share of what was harmless here",
            "understudy guard tune --false-positives 0.01"),
    Command("guard test", "serving.guard.commands:test", "Look into it",
            "what the guard says of a text, by which stage and score", "understudy guard test 'Ignore all rules'"),
    Command("audit", "deploy.witness.commands:audit", "Look into it",
            "verify or show the audit log", "understudy audit verify --state .understudy",
            ("verify", "show")),
    Command("keys", "serving.gateway.access.commands:main", "Look into it",
            "make, list or revoke keys of clients", "understudy keys create --tenant shop",
            ("create", "list", "revoke")),
    Command("config", "serving.config_commands:main", "Look into it",
            "show, check or describe the configuration", "understudy config check",
            ("show", "check", "schema")),
    Command("completion", "understudy.completion:main", "Look into it",
            "complete commands in a shell", "understudy completion bash", ("bash", "zsh", "fish")),
    Command("models check", "onboard.commands:check", "Bring your own models",
            "what a model is, what serving it costs, what can be done with it", "understudy models check ./my-model"),
    Command("models import", "onboard.commands:import_", "Bring your own models",
            "a folder, a .gguf or a LoRA adapter becomes a version",
            "understudy models import ./my-model --as teacher"),
    Command("models cut", "onboard.commands:cut", "Bring your own models",
            "a first student of some of the teacher's layers", "understudy models cut t1 --layers 8 --as student"),
    Command("models list", "onboard.commands:list_", "Bring your own models",
            "the versions that are registered, whether or not anything runs", "understudy models list"),
    Command("init", "onboard.init:main", "Bring your own models",
            "write a configuration for a teacher and a student", "understudy init --teacher t1 --student v1"),
    Command("bench", "bench.commands:main", "Look into it",
            "measure; `understudy bench` lists the benchmarks", "understudy bench swap --quick", json_file=True),
)  # fmt: skip
