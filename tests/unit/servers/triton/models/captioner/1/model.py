"""Is never asked: nobody knows what to show it."""


class TritonPythonModel:
    """What the server calls."""

    def execute(self, requests):
        """Answer nothing."""
        return [None for _ in requests]
