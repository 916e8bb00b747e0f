"""`understudy bench real`: a language model that nobody here trained and a cut of it, learning and serving apart."""
