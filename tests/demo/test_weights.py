"""The committed models: they load, are untied, small, and do what their cards say."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import GenerationConfig

from demo import world
from demo.training import corpus
from demo.training.ask import pass_rates, replies
from demo.training.cards import TARGETS, card
from demo.training.evaluate import load
from demo.training.model import parameters
from demo.training.tokenizer import load as load_tokenizer

DEMO = corpus.ROOT / "demo"
FOLDERS = {
    "teacher": DEMO / "models" / "teacher",
    "v1": DEMO / "registry" / "students" / "v1",
    "v2": DEMO / "registry" / "students" / "v2",
}
BOUNDS = {"teacher": (8_000_000, 15_000_000), "v1": (2_000_000, 4_500_000), "v2": (2_000_000, 4_500_000)}
NEEDED = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


@pytest.fixture(scope="module")
def figures():
    return json.loads((DEMO / "models" / "metrics.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", list(FOLDERS))
def test_a_folder_is_complete_untied_and_of_the_promised_size(name: str) -> None:
    folder = FOLDERS[name]
    assert all((folder / file).is_file() for file in NEEDED)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["tie_word_embeddings"] is False
    assert config["head_dim"] == 64
    assert config["max_position_embeddings"] == 1024
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        names = set(file.keys())
        assert {"lm_head.weight", "model.embed_tokens.weight"} <= names
        assert all(file.get_slice(key).get_dtype() == "BF16" for key in names)
        assert all(bool(torch.isfinite(file.get_tensor(key)).all()) for key in names)
    low, high = BOUNDS[name]
    assert low <= parameters(load(folder)) <= high


@pytest.mark.parametrize("name", list(FOLDERS))
def test_a_model_is_greedy_by_settings_that_can_be_saved_again(name: str, tmp_path: Path) -> None:
    settings = GenerationConfig.from_pretrained(FOLDERS[name])
    assert (settings.do_sample, settings.top_k) == (True, 1)
    settings.save_pretrained(tmp_path)
    stored = (FOLDERS[name] / "generation_config.json", tmp_path / "generation_config.json")
    assert len({json.dumps(json.loads(file.read_text(encoding="utf-8"))) for file in stored}) == 1


def test_all_committed_weights_stay_below_48_megabytes() -> None:
    assert sum(path.stat().st_size for path in DEMO.rglob("*.safetensors")) <= 48_000_000


def test_the_two_student_versions_differ() -> None:
    assert len({(FOLDERS[name] / "model.safetensors").read_bytes() for name in ("v1", "v2")}) == 2


def test_the_cards_hold_the_measured_figures(figures) -> None:
    for name, folder in FOLDERS.items():
        assert (folder / "README.md").read_text(encoding="utf-8") == card(figures, name)
    assert figures["samples_per_family_and_language"] >= 300


def test_the_measured_figures_reach_the_targets(figures) -> None:
    for name, family, bound, at_least in TARGETS:
        value = figures["models"][name]["pass"][family]
        assert (value >= bound) if at_least else (value <= bound), (name, family, value)


@pytest.mark.parametrize("name", ["teacher", "v2"])
def test_a_small_sample_behaves_as_the_card_says(figures, name: str) -> None:
    torch.set_num_threads(1)
    model, words = load(FOLDERS[name]), load_tokenizer(FOLDERS[name])
    for family in ("general", "drift"):
        samples = world.stream(77, "eval", family, 30)
        rate = pass_rates(samples, replies(model, words, [s.messages for s in samples]))["all"]
        assert rate == pytest.approx(figures["models"][name]["pass"][family], abs=0.2)
