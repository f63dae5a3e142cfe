"""The map as one HTML file that needs nothing else: thumbnails, panning and zooming, by mouse, touch and keyboard."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from nst.collection.analysis import Analysis
from nst.collection.library import Collection

TEMPLATE = Path(__file__).with_name("map.html")


def map_page(collection: Collection, analyses: Mapping[str, Analysis], title: str = "A map of pictures") -> str:
    """The page of a collection; where it is analyzed by "style" and by "content" it turns from one to the other."""
    data = {
        "names": collection.names,
        "pictures": [base64.b64encode(small).decode() for small in collection.thumbnails],
        "kinds": {kind: _facts(found) for kind, found in analyses.items()},
    }
    # Inside a script, "</" would end it, and names are whatever somebody called a file.
    told = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    broken = "".join(f"<li><b>{escape(name)}</b> {escape(why)}</li>" for name, why in collection.broken.items())
    left_out = f"<details><summary>{len(collection.broken)} left out</summary><ul>{broken}</ul></details>"
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(title), count=len(collection.names), data=told, broken=left_out if broken else ""
    )


def _facts(found: Analysis) -> dict[str, Any]:
    return {
        "places": [[round(float(v), 4) for v in place] for place in found.places],
        "nearest": found.nearest.tolist(),
        "distances": [[round(float(v), 3) for v in row] for row in found.distances],
        "clusters": found.clusters,
        "medoids": found.medoids,
        "outliers": found.outliers,
    }
