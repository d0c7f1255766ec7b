"""Chat templates, compared by the token ids they give."""
