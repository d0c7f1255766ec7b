"""Goldens of answers: readable files, and comparisons with a stated tolerance."""
