"""`understudy train`: when a round begins, its stages, and how it resumes."""
