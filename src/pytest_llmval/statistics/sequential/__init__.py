"""Decisions that may be looked at while the data come in."""
