"""Stage 6: who needs to know."""
