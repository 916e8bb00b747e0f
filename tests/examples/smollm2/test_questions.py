"""What the report asks of the example is held out, and every purpose has some."""

from __future__ import annotations

from examples.smollm2.dialogues import SAMPLE, customer_turns
from examples.smollm2.questions import questions
from serving.up.report.questions import FAMILIES, Questions


def test_each_family_and_purpose_is_asked_and_nothing_of_it_is_played() -> None:
    found = Questions(list(questions(30)))
    played = {str(messages) for _, messages in customer_turns(SAMPLE)}
    for family in FAMILIES:
        asked = found.of("judged", family)
        assert len(asked) == 30
        assert not {str(one.messages) for one in asked} & played
    assert found.of("first_token")
    assert found.of("throughput")
