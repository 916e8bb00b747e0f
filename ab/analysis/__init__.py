"""From rows of an experiment to its result."""
