"""Verdicts: scores become an outcome with its evidence."""
