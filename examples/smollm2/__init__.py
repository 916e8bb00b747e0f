"""SmolLM2-135M-Instruct as a teacher, a cut of it as the student, and customer dialogues: what `up` needs of them."""
