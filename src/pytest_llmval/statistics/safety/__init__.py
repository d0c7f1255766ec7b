"""Scores of fairness, toxicity and memorisation."""
