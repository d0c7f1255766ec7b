"""Entry point of the plugin: a table of contents of what pytest loads."""

pytest_plugins = (
    "pytest_llmval.hooks.options",
    "pytest_llmval.hooks.lifecycle",
    "pytest_llmval.hooks.collection",
    "pytest_llmval.hooks.selection",
    "pytest_llmval.hooks.prompt",
    "pytest_llmval.hooks.lock",
    "pytest_llmval.hooks.planning",
    "pytest_llmval.hooks.audit",
    "pytest_llmval.hooks.outcome",
    "pytest_llmval.hooks.trial_marker",
    "pytest_llmval.hooks.workers",
    "pytest_llmval.hooks.progress",
    "pytest_llmval.hooks.summary",
    "pytest_llmval.hooks.goldens",
    "pytest_llmval.fixtures.run",
    "pytest_llmval.fixtures.llm",
    "pytest_llmval.fixtures.server",
    "pytest_llmval.fixtures.cases",
    "pytest_llmval.fixtures.numerics",
    "pytest_llmval.fixtures.golden",
)
