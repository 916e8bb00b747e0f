"""The request body: parsed once, changed by splicing alone."""
