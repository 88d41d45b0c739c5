"""What a node can be asked and told: functions with a name, whoever calls them, by the control socket or by the page.

A verb takes text only and answers a document: ``{"error": text}`` when it refuses, else what its reader expects.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from collections.abc import Callable
from typing import Any

type Answer = dict[str, Any]
type Verb = Callable[..., Answer | Awaitable[Answer]]
"""What is asked for, with the arguments that it names, all of them text: known at once, or some time later."""

CHARACTERS_MAX = 1000
"""Of an argument; each verb has its own bound below that."""


class WrongArguments(Exception):
    """The verb was not called; the text says what it takes."""


def arguments_of(verb: Verb) -> dict[str, bool]:
    """Its arguments in order, and whether each must be given."""
    return {
        name: parameter.default is inspect.Parameter.empty
        for name, parameter in inspect.signature(verb).parameters.items()
    }


def call(name: str, verb: Verb, arguments: Any) -> Answer | Awaitable[Answer]:
    """Call a verb with the arguments of a request: whatever JSON can hold. Raises WrongArguments."""
    known = arguments_of(verb)
    needed = {argument for argument, must in known.items() if must}
    if not isinstance(arguments, dict) or not needed <= arguments.keys() <= known.keys():
        raise WrongArguments(f"{name} takes the arguments: {', '.join(known) or 'none'}")
    if not all(isinstance(each, str) for each in arguments.values()):
        raise WrongArguments(f"{name}: each argument must be text")
    # They come back in the log and in other nodes' reports, on terminals, and half a surrogate pair cannot be written.
    if not all(each.isprintable() and len(each) <= CHARACTERS_MAX for each in arguments.values()):
        return {"error": f"{name}: each argument must be one line of text, at most {CHARACTERS_MAX} characters"}
    return verb(**arguments)
