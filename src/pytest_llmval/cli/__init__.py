"""The `llmval` command."""
