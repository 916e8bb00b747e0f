"""Measure the demo models on held-out templates and values: `python -m demo.training.evaluate`.

Writes models/metrics.json and the model cards beside the weights. No figure in a card is written by hand.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from rich.progress import track
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from demo import world
from demo.training import corpus, tokenizer
from demo.training.ask import pass_rates, replies
from demo.training.cards import ModelFigures, write_cards
from demo.training.model import parameters
from demo.training.rows import ROW, ROWS
from demo.training.train import V1_AT_LEAST

SEED = 4242
COUNT = 300  # held-out samples for each family and language
REAL = 100  # real dialogues of the judge split
COMPARED_TOKENS = 64  # of the teacher's greedy reply


def load(folder: Path) -> LlamaForCausalLM:
    """A stored model, computing in float32 as the engines do."""
    return LlamaForCausalLM.from_pretrained(str(folder), dtype=torch.float32).eval()


def held_out(count: int) -> dict[str, list[world.Sample]]:
    """`count` samples of each family and language, with held-out templates and values."""
    return {
        f"{family}/{lang}": world.stream(SEED, "eval", family, count, lang)
        for family in ("general", "drift")
        for lang in world.LANGUAGES
    }


def _joined(rates: Sequence[dict[str, float]], samples: Sequence[list[world.Sample]]) -> float:
    return sum(r["all"] * len(s) for r, s in zip(rates, samples, strict=True)) / sum(map(len, samples))


def measure(
    model: LlamaForCausalLM, words: PreTrainedTokenizerFast, slices: dict[str, list[world.Sample]]
) -> tuple[ModelFigures, dict[str, list[str]]]:
    """Pass rates of a model for each slice and family, and its replies."""
    answers = {name: replies(model, words, [s.messages for s in samples]) for name, samples in slices.items()}
    rates = {name: pass_rates(samples, answers[name]) for name, samples in slices.items()}
    families = {
        family: _joined(
            [rates[f"{family}/{lang}"] for lang in world.LANGUAGES],
            [slices[f"{family}/{lang}"] for lang in world.LANGUAGES],
        )
        for family in ("general", "drift")
    }
    return {"parameters": parameters(model), "pass": families, "slices": rates}, answers


def agreement(
    student: LlamaForCausalLM, words: PreTrainedTokenizerFast, samples: list[world.Sample], given: list[str]
) -> float:
    """Share of the tokens of the teacher's replies that are the student's argmax, given the teacher's prefix."""
    same = total = 0
    for sample, reply in zip(samples, given, strict=True):
        prompt = words.apply_chat_template(list(sample.messages), tokenize=False, add_generation_prompt=True)
        before = words.encode(prompt, add_special_tokens=False)
        after = [*words.encode(reply, add_special_tokens=False), words.eos_token_id][:COMPARED_TOKENS]
        with torch.inference_mode():
            logits = student(torch.tensor([before + after])).logits[0, len(before) - 1 : -1]
        same += int((logits.argmax(-1) == torch.tensor(after)).sum())
        total += len(after)
    return same / total


def real_loss(model: LlamaForCausalLM, words: PreTrainedTokenizerFast, found: list[corpus.Dialogue]) -> float:
    """Mean negative log-likelihood (nats a token) of the second turn of real dialogues that no model has seen."""
    losses: list[float] = []
    for dialogue in found:
        prompt = words.apply_chat_template(
            [dict(m) for m in dialogue.messages[:1]], tokenize=False, add_generation_prompt=True
        )
        before = words.encode(prompt, add_special_tokens=False)[-200:]
        after = words.encode(dialogue.messages[1]["content"], add_special_tokens=False)[:COMPARED_TOKENS]
        with torch.inference_mode():
            logits = model(torch.tensor([before + after])).logits[0, len(before) - 1 : -1]
        losses.append(F.cross_entropy(logits, torch.tensor(after)).item())
    return sum(losses) / len(losses)


def judged(count: int) -> list[corpus.Dialogue]:
    """Dialogues of the judge split that open with a user's turn; none when the data is not on this machine."""
    try:
        found = [d for d in corpus.dialogues(frozenset({"judge"})) if d.messages[0]["role"] == "user"]
    except corpus.CorpusMissing:
        return []
    by_lang = [[d for d in found if d.lang == lang][: count // 2] for lang in world.LANGUAGES]
    return [d for part in by_lang for d in part if d.messages[1]["content"].strip()]


def tokens_per_character(words: PreTrainedTokenizerFast, slices: dict[str, list[world.Sample]]) -> dict[str, float]:
    """Tokens of one character of held-out prompts and replies, and of real dialogues, by language."""
    found = {}
    for lang in world.LANGUAGES:
        texts = [s.messages[-1]["content"] + s.reply for s in slices[f"general/{lang}"]]
        found[f"shop/{lang}"] = tokenizer.tokens_per_character(words, texts)
    real = judged(REAL)
    for lang in world.LANGUAGES:
        texts = [m["content"] for d in real if d.lang == lang for m in d.messages]
        if texts:
            found[f"real/{lang}"] = tokenizer.tokens_per_character(words, texts)
    return found


def training(work: Path, name: str, good_enough: float = 2.0) -> ModelFigures:
    """What the training log says, up to the first look that passed `good_enough`; empty without a log."""
    path = work / f"{name}.jsonl"
    if not path.is_file():
        return {}
    step = 0
    for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        step = row["step"]
        if "rates" in row and row["rates"]["general"]["all"] >= good_enough:
            break
    return {"steps": step, "tokens": step * ROWS * ROW}


def evaluate(root: Path, work: Path, count: int) -> ModelFigures:
    """All figures of the cards, for the models under `root`."""
    students = root / "registry" / "students"
    folders = {"teacher": root / "models" / "teacher", "v1": students / "v1", "v2": students / "v2"}
    words, slices, real = tokenizer.load(folders["teacher"]), held_out(count), judged(REAL)
    models: dict[str, ModelFigures] = {}
    spoken: dict[str, list[str]] = {}
    for name, folder in track(list(folders.items()), description="evaluating"):
        model = load(folder)
        figures, answers = measure(model, words, slices)
        spoken = spoken or answers
        if name != "teacher":
            figures["agreement"] = {
                key: agreement(model, words, samples[:100], spoken[key][:100]) for key, samples in slices.items()
            }
        if real:
            figures["real_loss_nats"] = {
                lang: real_loss(model, words, [d for d in real if d.lang == lang]) for lang in world.LANGUAGES
            }
        models[name] = figures
    models["teacher"]["training"] = training(work, "teacher")
    models["v1"]["training"] = training(work, "student", V1_AT_LEAST)
    models["v2"]["training"] = training(work, "student")
    return {
        "schema_version": 1,
        "seed": SEED,
        "samples_per_family_and_language": count,
        "real_dialogues": len(real),
        "computed_share": sum(map(world.computed, slices["general/en"])) / count,
        "tokens_per_character": tokens_per_character(words, slices),
        "models": models,
    }


def main() -> int:
    """Entry point; see the module's text."""
    parser = argparse.ArgumentParser(prog="python -m demo.training.evaluate", description=__doc__)
    parser.add_argument("--root", type=Path, default=corpus.ROOT / "demo", help="folder with models/ and registry/")
    parser.add_argument("--work", type=Path, default=corpus.ROOT / ".demo-train", help="folder of the training logs")
    parser.add_argument("--count", type=int, default=COUNT, help="samples for each family and language")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    began = time.monotonic()
    figures = evaluate(arguments.root, arguments.work, arguments.count)
    (arguments.root / "models" / "metrics.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    write_cards(arguments.root, figures)
    print(f"evaluated in {time.monotonic() - began:.0f} s; figures in {arguments.root / 'models' / 'metrics.json'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
