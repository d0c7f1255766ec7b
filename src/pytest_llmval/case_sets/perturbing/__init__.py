"""Metamorphic relations: changes of a question that should leave its answer as it is."""
