"""The clock of a chat template: stopped, so that the same conversation gives the same ids tomorrow."""

from __future__ import annotations

from datetime import date
from typing import Any

STOPPED = date(2024, 1, 31)
_CLOCK = "strftime_now"
_DIRECTIVES = tuple("%" + letter for letter in "aAbBdmyYHIMSpj")


def reads_clock(template: str) -> bool:
    """Whether a template asks for the time at all."""
    return _CLOCK in template


def stopped(tokenizer: Any, day: date, tools: Any = None) -> dict[str, str]:
    """Options of `apply_chat_template` that show the template midnight of this day; none when it does not ask.

    transformers hands no function to a template, so the clock is stopped by a macro of its name before the template.
    """
    template = str(tokenizer.get_chat_template(tools=tools))
    if not reads_clock(template):
        return {}
    # `%-d` has no zero in front and is not known to every system.
    values = {"%-d": str(day.day), "%-m": str(day.month)} | {each: day.strftime(each) for each in _DIRECTIVES}
    replaced = "".join(f" | replace('{directive}', '{value}')" for directive, value in values.items())
    # The line break goes with its block, as in all templates of transformers.
    macro = f"{{% macro {_CLOCK}(format) -%}}{{{{ format{replaced} }}}}{{%- endmacro %}}\n"
    return {"chat_template": macro + template}
