"""What of a round changed the student: rounds trained again without a kind of data or a channel of the loss."""
