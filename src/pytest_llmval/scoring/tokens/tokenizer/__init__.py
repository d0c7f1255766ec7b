"""Tokenizers: what always holds, what a sound one may lack, and whether two are the same."""
