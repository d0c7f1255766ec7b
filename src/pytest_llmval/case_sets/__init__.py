"""Stage 1: what is asked, and what is expected."""
