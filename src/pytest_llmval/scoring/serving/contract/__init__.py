"""The contract of a server: what it gives is what was asked for, and what the model says."""
