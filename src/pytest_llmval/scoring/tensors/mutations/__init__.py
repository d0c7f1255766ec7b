"""Known bugs, put into a model on purpose: positive controls for checks of numbers."""
