"""The committed tokenizer, read once."""

import pytest
from transformers import PreTrainedTokenizerFast

from demo.training import corpus
from demo.training.tokenizer import load


@pytest.fixture(scope="session")
def words() -> PreTrainedTokenizerFast:
    return load(corpus.ROOT / "demo" / "models" / "teacher")
