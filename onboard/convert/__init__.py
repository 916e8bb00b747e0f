"""Other forms of a model, a GGUF file or a LoRA adapter, made into a Hugging Face folder."""
