"""How the demo's tokenizer and models are trained and measured: `python -m demo.training.train`."""
