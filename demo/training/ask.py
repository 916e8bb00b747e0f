"""Greedy replies of a model to many prompts, and how many of them state their facts."""

from collections import defaultdict
from collections.abc import Sequence

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from demo import world
from serving.up.report.demands import states

NEW_TOKENS = 72
AT_ONCE = 50


def replies(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, prompts: Sequence[tuple[dict[str, str], ...]]
) -> list[str]:
    """The greedy reply of at most NEW_TOKENS tokens to each prompt, in the order of the prompts."""
    texts = [tokenizer.apply_chat_template(list(p), tokenize=False, add_generation_prompt=True) for p in prompts]
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    answers = [""] * len(texts)
    tokenizer.padding_side = "left"
    for start in range(0, len(order), AT_ONCE):
        chosen = order[start : start + AT_ONCE]
        batch = tokenizer([texts[i] for i in chosen], return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.inference_mode():
            out = model.generate(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                max_new_tokens=NEW_TOKENS,
                do_sample=False,
            )
        for index, ids in zip(chosen, out[:, batch["input_ids"].shape[1] :], strict=True):
            answers[index] = tokenizer.decode(ids, skip_special_tokens=True)
    return answers


def pass_rates(samples: Sequence[world.Sample], answers: Sequence[str]) -> dict[str, float]:
    """Share of replies that state all facts, under `all`, and of facts stated, by fact kind and by intent."""
    counts: dict[str, list[bool]] = defaultdict(list)
    for sample, answer in zip(samples, answers, strict=True):
        right = world.satisfied(sample, answer)
        counts["all"].append(right)
        counts["exact"].append(answer.strip() == sample.reply)
        counts[f"intent:{sample.intent}"].append(right)
        for fact in sample.facts:
            counts[f"fact:{fact.kind}"].append(states(answer, fact.text))
    return {name: sum(found) / len(found) for name, found in sorted(counts.items())}
