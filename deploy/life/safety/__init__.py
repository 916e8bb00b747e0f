"""Whether a candidate complies with more of what ought to be refused than its parent does.

The committed prompts, the rules by which a reply is a refusal, and the test that compares two versions: all pure. Who
asks them is `online_distill.evaluate.asking`; who refuses is the gate. No text of a model's reply is kept anywhere.
"""
