"""What operators ask for that is done in Redis, on the bus or in many files: written down first, gone on with, told."""
