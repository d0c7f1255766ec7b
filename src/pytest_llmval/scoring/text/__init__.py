"""Scores of a text against a reference."""
