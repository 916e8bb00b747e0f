"""A running experiment: which units take part (`layers`), and who is in which arm in which phase (`phases`). Pure."""
