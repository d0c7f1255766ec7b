"""Scores of answers against each other: trials, paraphrases and perturbed questions."""
