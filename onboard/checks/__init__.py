"""What a model must be so that engines can serve it and a trainer teach it; a refusal says what would work."""
