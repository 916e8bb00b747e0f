"""A shop's customer service in English and Chinese: prompts, their only right replies, and fact checks.

Pure and seeded: the same arguments give the same samples on every machine. No model, no file, no network.
"""

from demo.world.generate import LANGUAGES, computed, drift_intents, sample, stream, templates
from demo.world.judge import satisfied
from demo.world.shapes import Fact, Family, Lang, Sample, Split

__all__ = [
    "LANGUAGES",
    "Fact",
    "Family",
    "Lang",
    "Sample",
    "Split",
    "computed",
    "drift_intents",
    "sample",
    "satisfied",
    "stream",
    "templates",
]
