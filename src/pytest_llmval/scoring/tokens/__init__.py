"""Scores of tokens and their probabilities."""
