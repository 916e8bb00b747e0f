"""The hard-sample pool and its near-duplicate search. Text only; the trainer asks for targets anew."""
