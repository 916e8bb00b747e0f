"""Everything of the data plane that is not hot: models, feedback, embeddings, health, metrics."""
