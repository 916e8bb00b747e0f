"""What `feedback/rows/` promises, on a real Redis and real files."""
