"""A command that takes a configuration: what several commands can be told stands in a class, once, with its help."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, get_type_hints

Records = Iterator[dict[str, Any]]


def options(function: Callable[[Any], Records]) -> Callable[..., Records]:
    """A command that takes a configuration, as a function of the configuration's fields by name.

    Its section "Args:" is that of the configuration's classes, of which the most derived one has the last word.
    """
    kind = get_type_hints(function)["config"]

    @wraps(function)
    def run(**given: Any) -> Records:
        return function(kind(**given))

    sections = (inspect.cleandoc(c.__doc__ or "").partition("Args:\n")[2] for c in reversed(kind.__mro__[:-1]))
    args = "\n".join(section.partition("\n\n")[0] for section in sections if section)
    run.__doc__ = f"{inspect.getdoc(function)}\n\nArgs:\n{args}\n"
    run.__annotations__ = get_type_hints(kind)
    run.__signature__ = inspect.signature(kind)  # type: ignore[attr-defined]
    return run
