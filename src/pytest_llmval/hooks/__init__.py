"""The pytest side: each hook translates and hands over."""
