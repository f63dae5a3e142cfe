"""A chart of methods as SVG: seconds across, score upward, and in which kind a method is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT, MARGIN = 900, 620, 56
LETTER, AWAY = 7.2, sorted(range(-300, 301), key=abs)
"""About how wide a letter is, and how far from its dot a name may stand, in pixels, the nearest first."""

INKS = {"optimized": "#2f44c8", "network": "#c8321f", "neither": "#636d83"}
STYLE = (
    "text{font:14px 'IBM Plex Sans',system-ui,sans-serif;fill:#121828}.soft{fill:#636d83;font-size:12px}"
    "line{stroke:#d6dae3}rect{fill:#fff}"
)


def chart(rows: Sequence[Mapping[str, Any]]) -> str:
    """The drawing.

    Args:
        rows: with `method`, `kind` (one of `INKS`), `seconds` and `score` (0 to 100).
    """
    times = [max(float(row["seconds"]), 1e-3) for row in rows] or [1.0]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)) + 1e-9)
    high = max(high, low + 1)
    inner = WIDTH - 2 * MARGIN - 150  # names stand to the right of their points

    def across(seconds: float) -> float:
        return MARGIN + inner * (math.log10(max(seconds, 1e-3)) - low) / (high - low)

    def upward(score: float) -> float:
        return HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * score / 100

    parts = []
    for power in range(low, high + 1):
        x = across(10.0**power)
        parts.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{MARGIN}" y2="{HEIGHT - MARGIN}"/>')
        below = f'x="{x:.0f}" y="{HEIGHT - MARGIN + 20}" text-anchor="middle"'
        parts.append(f'<text class="soft" {below}>{10.0**power:g} s</text>')
    for score in range(0, 101, 20):
        y = upward(score)
        parts.append(f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{y:.0f}" y2="{y:.0f}"/>')
        parts.append(f'<text class="soft" x="{MARGIN - 10}" y="{y + 4:.0f}" text-anchor="end">{score}</text>')
    dots = [(across(float(row["seconds"])), upward(float(row["score"]))) for row in rows]
    taken = list[tuple[float, float, float]]()
    for row, (x, y) in sorted(zip(rows, dots, strict=True), key=lambda pair: pair[1][1]):
        name = str(row["method"]).removeprefix(f"{row['kind']}, ").removeprefix(f"{row['kind']} ")  # its ink says that
        left, right = x + 16, x + 16 + LETTER * len(name)
        line = next((y + 5 + away for away in AWAY if _clear(left, right, y + 5 + away, dots, taken)), y + 5)
        taken.append((left, right, line))
        ink = INKS.get(str(row["kind"]), INKS["neither"])
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{ink}"/>')
        parts.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x + 14:.1f}" y2="{line - 5:.1f}" style="stroke:{ink}"/>')
        parts.append(f'<text x="{left:.1f}" y="{line:.1f}">{escape(name)}</text>')
    key = ""
    for i, (kind, ink) in enumerate(INKS.items()):
        x = MARGIN + 6 + 120 * i
        key += f'<circle cx="{x}" cy="24" r="6" fill="{ink}"/><text x="{x + 12}" y="29">{kind}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="Score by seconds"><style>{STYLE}</style><rect width="{WIDTH}" height="{HEIGHT}"/>{key}'
        f'{"".join(parts)}<text class="soft" x="{MARGIN}" y="{MARGIN - 10}">score</text></svg>\n'
    )


def _clear(
    left: float, right: float, line: float, dots: Sequence[tuple[float, float]], taken: Sequence[tuple[float, ...]]
) -> bool:
    """Whether a name on this line covers no dot, no other name, and not the axis."""
    if not MARGIN + 14 < line < HEIGHT - MARGIN - 4:
        return False
    if any(left - 8 < x < right + 8 and line - 19 < y < line + 8 for x, y in dots):
        return False
    return not any(left < end and begin < right and abs(line - other) < 15 for begin, end, other in taken)
