"""Servers that the run starts itself, each under a warden that ends it whatever becomes of the run."""
