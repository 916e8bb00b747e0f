"""The demo models' tokenizer: byte-level BPE of 4096 entries, every digit a token of its own."""

from collections.abc import Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

VOCAB = 4096
LONGEST_BYTES = 12  # four Chinese characters: longer pieces would swallow whole phrases of the templates
BOS, SYSTEM, USER, ASSISTANT, END, PAD = SPECIAL = (
    "<|bos|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|pad|>",
)  # fmt: skip
CHAT_TEMPLATE = (
    "{{ '<|bos|>' }}{% for m in messages %}"
    "{% if m['role'] in ('system', 'developer') %}{{ '<|system|>' }}"
    "{% elif m['role'] == 'assistant' %}{{ '<|assistant|>' }}"
    "{% else %}{{ '<|user|>' }}{% endif %}"
    "{{ (m['content'] or '') | trim }}{{ '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def train(texts: Iterator[str]) -> PreTrainedTokenizerFast:
    """Learn the merges from `texts`; the order of the texts does not change the result."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            # Without this an order number would merge with the Chinese word before it.
            pre_tokenizers.Split(Regex(r"\p{Han}+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=LONGEST_BYTES,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=END,
        pad_token=PAD,
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )


def load(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer stored in a model folder."""
    return PreTrainedTokenizerFast.from_pretrained(str(folder))


def tokens_per_character(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> float:
    """Mean number of tokens for one character of `texts`."""
    characters = sum(len(text) for text in texts)
    return sum(len(tokenizer.encode(text, add_special_tokens=False)) for text in texts) / max(1, characters)
