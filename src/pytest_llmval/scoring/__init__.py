"""Stage 4: how good an answer is."""
