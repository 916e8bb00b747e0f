"""Draw samples: choose intent, template and values from a seed, and write the dialogue."""

import itertools
import random

from demo.world import chinese, english
from demo.world.intents import BY_FAMILY, INTENTS
from demo.world.shapes import Family, Lang, Phrases, Sample, Split

LANGUAGES: tuple[Lang, ...] = ("en", "zh")
SPEECH = {"en": english, "zh": chinese}
TWO_TURN_SHARE = 0.15
ASK_FIRST_SHARE = 0.2
_COMPUTED = {intent.name: intent.computed for intent in INTENTS}


def template_side(intent: str, context: int, ask: int) -> str:
    """`eval` for one fifth of the pairs of context and question, else `train`; every part occurs on both sides."""
    shift = sum(intent.encode())
    return "eval" if (context + ask + shift) % 5 == 0 else "train"


def templates(intent: str, lang: Lang, split: Split) -> list[tuple[int, int]]:
    """The templates of one intent and language that belong to a split, as indices of context and question."""
    phrases = SPEECH[lang].PHRASES[intent]
    wanted = "eval" if split == "eval" else "train"
    pairs = itertools.product(range(len(phrases.contexts)), range(len(phrases.asks)))
    return [(context, ask) for context, ask in pairs if template_side(intent, context, ask) == wanted]


def computed(sample: Sample) -> bool:
    """Whether the reply holds a fact that has to be computed or known, not only copied."""
    return _COMPUTED[sample.intent]


def drift_intents() -> list[str]:
    """Names of the intents that students are never shown before the loop runs."""
    return [intent.name for intent in BY_FAMILY["drift"]]


def _dialogue(rng: random.Random, lang: Lang, context: str, ask: str) -> tuple[dict[str, str], ...]:
    """The prompt: one turn, or the context in a first turn and the question in a second one."""
    speech = SPEECH[lang]
    opener, closer = rng.choice(speech.OPENERS), rng.choice(speech.CLOSERS)
    gap, form = " " if lang == "en" else "", rng.random()
    if form < TWO_TURN_SHARE:
        first = {"role": "user", "content": opener + context}
        return first, {"role": "assistant", "content": speech.ACK}, {"role": "user", "content": ask + closer}
    body = ask + gap + context if form < TWO_TURN_SHARE + ASK_FIRST_SHARE else context + gap + ask
    return ({"role": "user", "content": opener + body + closer},)


def sample(seed: int, split: Split, family: Family, lang: Lang | None = None) -> Sample:
    """The sample of a seed: a pure function of its arguments. `lang` None draws one of the two."""
    rng = random.Random(f"{seed}:{split}:{family}:{lang}")
    spoken: Lang = rng.choice(LANGUAGES) if lang is None else lang
    intent = rng.choice(BY_FAMILY[family])
    context, ask = rng.choice(templates(intent.name, spoken, split))
    name = f"{intent.name}/{spoken}/c{context}q{ask}"
    phrases: Phrases = SPEECH[spoken].PHRASES[intent.name]
    slots, facts = intent.draw(rng, split, spoken)
    messages = _dialogue(rng, spoken, phrases.contexts[context].format(**slots), phrases.asks[ask])
    reply = phrases.reply.format(**slots)
    return Sample(
        f"{split}-{family}-{lang or 'any'}-{seed}", family, intent.name, spoken, name, split, messages, reply, facts
    )


def stream(seed: int, split: Split, family: Family, n: int, lang: Lang | None = None) -> list[Sample]:
    """`n` samples with distinct prompts; a longer stream of the same seed begins with the shorter one."""
    found: list[Sample] = []
    seen: set[str] = set()
    number = seed * 1_000_003
    while len(found) < n:
        drawn = sample(number, split, family, lang)
        number += 1
        key = "\n".join(message["content"] for message in drawn.messages)
        if key not in seen:
            seen.add(key)
            found.append(drawn)
    return found
