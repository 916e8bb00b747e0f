"""Model cards, written from the measured figures alone."""

from pathlib import Path
from typing import Any

from demo import world

ModelFigures = dict[str, Any]

# Model, family, bound, and whether the figure must be at least (True) or at most (False) the bound.
TARGETS: tuple[tuple[str, str, float, bool], ...] = (
    ("teacher", "general", 0.95, True),
    ("teacher", "drift", 0.95, True),
    ("v1", "general", 0.75, True),
    ("v1", "drift", 0.50, False),
    ("v2", "general", 0.85, True),
    ("v2", "drift", 0.50, False),
)
LABEL = {"general": "taught intents", "drift": "drift family"}
TITLE = {
    "teacher": "Demo teacher",
    "v1": "Demo student v1, the earlier version",
    "v2": "Demo student v2, the later version",
}
LIMITS = """## What it can and cannot do
It answers the questions of the demo shop in English and Chinese, with one right wording for each intent. It knows
nothing else: open questions, other languages, three-digit sums, dates that cross a month and long dialogues are beyond
it. On real dialogues it writes plausible turns of such dialogues, without any promise that they are true. It is a test
object for the product, not a model to serve people with, and it has no safety training.

By `generation_config.json` it answers greedily (`top_k` 1); a request that wants varied answers sends `top_k` 0.

Held out means: every measured prompt uses a pair of context and question that training never used (each half was seen
in other pairs), and products, names, addresses, order numbers, codes, dates and pairs of amounts that training never
used. Closed sets (weekdays, months, years, causes, faults, day counts) are the same in training and evaluation.
"""
DATA = """## Data
Generated dialogues of `demo/world`, and real dialogues in the split of `demo/training/split.py` (20 % kept from
every model, 30 % more from the students). Sources, licences and what was left out: `demo/NOTICE.md`. The weights are
Apache-2.0.
Trained by `make demo-models`, measured by `python -m demo.training.evaluate`.
"""


def targets(figures: ModelFigures, name: str) -> list[str]:
    """One table row for each target of a model."""
    rows = []
    for model, family, bound, at_least in TARGETS:
        if model != name:
            continue
        value = figures["models"][model]["pass"][family]
        met = value >= bound if at_least else value <= bound
        sign, verdict = ("at least" if at_least else "at most"), ("met" if met else "not met")
        rows.append(f"| {LABEL[family]} | {value:.1%} | {sign} {bound:.0%} | {verdict} |")
    return rows


def kinds(model: ModelFigures) -> list[str]:
    """One table row for each slice: all facts right, the wording exact, and each kind of fact."""
    shown = ("all", "exact", "fact:date", "fact:sum", "fact:amount", "fact:cause", "fact:copy")
    head = ["| slice | all facts | same wording | dates | sums | amounts | causes | copies |", "|---" * 8 + "|"]
    return head + [
        f"| {name} | " + " | ".join(f"{rates[key]:.1%}" if key in rates else "-" for key in shown) + " |"
        for name, rates in model["slices"].items()
    ]


def weakest(model: ModelFigures) -> str:
    """The taught intents with the lowest pass rates, over both languages."""
    found: dict[str, list[float]] = {}
    for name, rates in model["slices"].items():
        for key, value in rates.items():
            if name.startswith("general/") and key.startswith("intent:"):
                found.setdefault(key.removeprefix("intent:"), []).append(value)
    lowest = sorted((sum(v) / len(v), name) for name, v in found.items())[:4]
    return "Weakest taught intents: " + ", ".join(f"{name} {value:.0%}" for value, name in lowest) + "."


def card(figures: ModelFigures, name: str) -> str:
    """The card of one model as Markdown."""
    model, count = figures["models"][name], figures["samples_per_family_and_language"]
    lines = [
        f"# {TITLE[name]}",
        "",
        f"Llama architecture, {model['parameters']:,} parameters, untied embeddings, bf16.",
    ]
    if model.get("training"):
        spent = model["training"]
        lines.append(f"Trained for {spent['steps']:,} steps ({spent['tokens'] / 1e6:.1f} M tokens) on one CPU core.")
    lines += ["", f"## Measured on held-out templates and values ({count} for each family and language)"]
    lines += ["| fact checks passed | measured | target | |", "|---|---|---|---|", *targets(figures, name), ""]
    lines += [*kinds(model), "", weakest(model)]
    if "agreement" in model:
        shares = ", ".join(f"{key} {value:.1%}" for key, value in model["agreement"].items())
        lines += ["", f"Token agreement with the teacher, given the teacher's prefix: {shares}."]
    if "real_loss_nats" in model:
        losses = ", ".join(f"{lang} {value:.2f}" for lang, value in model["real_loss_nats"].items())
        lines += ["", f"Loss on the first reply of {figures['real_dialogues']} unseen real dialogues, nats: {losses}."]
    pieces = ", ".join(f"{key} {value:.2f}" for key, value in figures["tokens_per_character"].items())
    lines += ["", f"Tokens for one character: {pieces}."]
    if name != "teacher":
        lines.append(f"It was never shown the drift family ({', '.join(world.drift_intents())}).")
    return "\n".join([*lines, "", LIMITS, DATA])


def write_cards(root: Path, figures: ModelFigures) -> None:
    """Write README.md beside the weights of each model."""
    students = root / "registry" / "students"
    for name, folder in (("teacher", root / "models" / "teacher"), ("v1", students / "v1"), ("v2", students / "v2")):
        (folder / "README.md").write_text(card(figures, name), encoding="utf-8")
