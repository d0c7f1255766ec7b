"""Stage 2: who answers."""
