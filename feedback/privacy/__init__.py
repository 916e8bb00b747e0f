"""What is personal in a text, and the redactor that replaces it before anything is stored."""
