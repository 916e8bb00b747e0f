"""Real tokenizers and chat templates, and texts that try to write a turn of another into what these render."""
