"""Invariances: what must not change the logits of a language model, and does when a mask or cache is wrong."""
