"""Rows for people: a table, also one that grows, and lines of progress."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The lines of a table: a header, then the rows, each column as wide as its widest cell."""
    return _lines(rows, _widths(rows)) if rows else iter(())


def growing(rows: Iterable[Row]) -> Iterator[str]:
    """The lines of a table as its rows come: the first row decides on the columns, and a wide cell widens its own from
    there on.

    Rows that count steps ("step" of "steps") are told as a line of progress each instead.
    """
    stream = iter(rows)
    for first in stream:
        if "step" not in first or "steps" not in first:
            widths = _widths([first])
            yield from _lines([first], widths)
            for row in stream:
                widths = {key: max(width, len(_cell(row.get(key, "")))) for key, width in widths.items()}
                yield from _lines([row], widths, header=False)
            return
        rest = (f"{key} {_cell(value)}" for key, value in first.items() if key not in ("step", "steps"))
        yield "  ".join([f"step {first['step']} of {first['steps']}", *rest])


def _lines(rows: Iterable[Row], widths: Mapping[str, int], header: bool = True) -> Iterator[str]:
    if header:
        yield "  ".join(key.ljust(width) for key, width in widths.items()).rstrip()
    for row in rows:
        yield "  ".join(_cell(row.get(key, "")).ljust(width) for key, width in widths.items()).rstrip()


def _widths(rows: Sequence[Row]) -> dict[str, int]:
    return {key: max(len(key), *(len(_cell(row.get(key, ""))) for row in rows)) for key in rows[0]}


def _cell(value: Any) -> str:
    """Four digits of a fraction, "-" for none."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)
