"""What is done to the weights beside the gradient: a pull towards the parent, an average over the steps."""
