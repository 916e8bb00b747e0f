"""Who gives soft targets, and how they are kept."""
