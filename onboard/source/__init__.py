"""A model as somebody else left it: its files, its settings, where its tensors lie. Only ever read."""
