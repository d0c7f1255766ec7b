"""Whether an answer is supported by the context it was given."""
