"""What is personal in a text: detectors of numbers, names, addresses and secrets, and what joins them."""
