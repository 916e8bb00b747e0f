"""What may not be imported is not imported, checked in fresh interpreters."""

import subprocess
import sys

import pytest

from tests.waiting import LONG

ENTRY_POINTS = [
    "understudy.cli", "serving.serve", "serving.worker", "serving.controller", "serving.engine.main",
    "serving.up.main", "serving.replay", "serving.control.commands", "deploy.witness.commands",
    "feedback.outbox.outbox",
]  # fmt: skip


@pytest.mark.parametrize("module", ENTRY_POINTS)
def test_importing_a_serving_entry_point_loads_no_model_library(module: str) -> None:
    code = (
        f"import sys, {module}; "
        "print(sorted(sys.modules.keys() & {'torch', 'transformers', 'vllm', 'online_distill', 'demo'}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=LONG, check=True)
    assert out.stdout.strip() == "[]"


def test_the_trainer_does_not_import_serving() -> None:
    code = "import sys, online_distill.role.main; print([m for m in sys.modules if m.split('.')[0] == 'serving'])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=LONG, check=True)
    assert out.stdout.strip() == "[]"
