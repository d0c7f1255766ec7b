"""The built-in conversations: ordinary ones that every chat template is for, and those that show a capability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_llmval.scoring.tokens.chat_template.rendering import Turns


def user(content: str) -> dict[str, Any]:
    """A turn of the user."""
    return {"role": "user", "content": content}


def assistant(content: str, **fields: Any) -> dict[str, Any]:
    """A turn of the assistant."""
    return {"role": "assistant", "content": content, **fields}


def system(content: str) -> dict[str, Any]:
    """The system's message."""
    return {"role": "system", "content": content}


QUESTION, ANSWER, AGAIN = "Where is my order?", "It is on its way.", "When will it come?"
THREE_TURNS: Turns = [user(QUESTION), assistant(ANSWER), user(AGAIN)]
FIVE_TURNS: Turns = [*THREE_TURNS, assistant("On Friday."), user("Thank you!")]

CONVERSATIONS: dict[str, Turns] = {
    "one turn": [user(QUESTION)],
    "three turns": THREE_TURNS,
    "five turns": FIVE_TURNS,
    "ending with the assistant": THREE_TURNS[:2],
    "line breaks": [user("First line\nsecond line\n\nlast"), assistant("One\nTwo"), user("Go on\n- a\n- b")],
    "white space at the ends": [user("  Hi there \n"), assistant(" Hello "), user("\tBye")],
    "other scripts": [user("Grüße, 漢字 und 🙂"), assistant("e\u0301 👩\u200d👧"), user("한국어 שלום")],
    "code and markup": [user("<b>x</b> {{ y }} {% z %}"), assistant('{"a": [1, 2]}'), user("a < b && c > d")],
    "the same twice": [user("again"), assistant("again"), user("again"), assistant("again")],
    "numbers": [user("1 + 1 = 2"), assistant("3.14"), user("10000000")],
    "long": [user("word " * 200), assistant("other " * 200), user("end")],
}
"""Name to conversation: user and assistant in turn, which no template may refuse."""

WITH_SYSTEM: dict[str, Turns] = {
    "system and one turn": [system("You are a kind clerk."), user(QUESTION)],
    "system and five turns": [system("You are a kind clerk."), *FIVE_TURNS],
}
"""With a system message, which some templates refuse."""

TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "order_status",
        "description": "Status of an order",
        "parameters": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]},
    },
}

TOOL_TURNS: Turns = [
    user("Where is order 17?"),
    assistant(
        "",
        tool_calls=[
            {
                "type": "function",
                "id": "abcdef123",
                "function": {"name": "order_status", "arguments": {"number": "17"}},
            }
        ],
    ),
    {"role": "tool", "name": "order_status", "tool_call_id": "abcdef123", "content": "shipped_yesterday"},
    assistant("It was shipped yesterday."),
    user("Good."),
]
"""A call of a tool, its result and the answer."""

THOUGHT = "a passing thought"
THINKING: Turns = [
    user("What is 2 + 2?"),
    assistant(f"<think>\n{THOUGHT}\n</think>\n\nFour.", reasoning_content=THOUGHT),
    user("And 3 + 3?"),
    assistant("<think>\nanother\n</think>\n\nSix.", reasoning_content="another"),
]
"""Reasoning in earlier turns, which some templates take out once the next question comes."""
