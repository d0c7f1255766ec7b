"""Tensors, logits and distributions: compared in float64, named where they differ."""
