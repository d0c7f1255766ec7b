"""Stage 3: what happened, kept on disk."""
