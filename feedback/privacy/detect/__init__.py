"""What is personal in a text: detectors of numbers, names, addresses, secrets and shapes, and what puts them together."""
