"""Where each picture of a collection stands: a place on the map, its nearest, its cluster, and how alone it is."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nst.collection.library import Collection
from nst.images import written

KINDS = ("style", "content")
LAYOUTS = ("pca", "umap")
NEAREST = 6
"""How many of a picture's nearest are told."""

LONELY = 3.5
"""From how many robust deviations on a picture counts as an outlier."""


@dataclass(frozen=True)
class Analysis:
    """What is known of N pictures, by style or by content.

    Attributes:
        places: (N, 2) in [0, 1], for a map.
        nearest: the numbers of the nearest pictures, nearest first, (N, K).
        distances: to them, (N, K); the mean distance of all pairs is 1.
        clusters: which cluster each is in, (N,), from 0, by size.
        medoids: the number of the picture in the middle of each cluster.
        loneliness: how much farther than usual a picture is from its nearest, in robust deviations, (N,).
    """

    places: Tensor
    nearest: Tensor
    distances: Tensor
    clusters: list[int]
    medoids: list[int]
    loneliness: Tensor

    @property
    def outliers(self) -> list[int]:
        """The numbers of the pictures that resemble none, the loneliest first."""
        order = self.loneliness.argsort(descending=True).tolist()
        return [i for i in order if self.loneliness[i] > LONELY]


def analyze(vectors: Tensor, *, layout: str = "pca", clusters: int | None = None, seed: int = 0) -> Analysis:
    """Look at vectors (N, D) together.

    Args:
        vectors: one for each picture; N is 2 or more.
        layout: "pca" (principal components) or "umap" (McInnes et al. 2018, arXiv:1802.03426, by its package).
        clusters: how many; None means about the square root of half of N, and 12 at most.
        seed: of UMAP.

    Raises:
        ValueError: an unknown layout, or one whose package is not here; clusters that cannot be.
    """
    if layout not in LAYOUTS:
        raise ValueError(f'No layout "{layout}": choose {" or ".join(LAYOUTS)}.')
    count = len(vectors)
    if clusters is not None and not 1 <= clusters <= count:
        raise ValueError(f"{count} pictures make 1 to {count} clusters, not {clusters}.")
    products = inner_products(vectors)
    apart = _distances(products)
    others = apart + torch.eye(count) * 1e9
    nearest = others.argsort(1)[:, : min(NEAREST, count - 1)]
    distances = apart.gather(1, nearest)
    groups, medoids = _clusters(apart, clusters or min(12, max(2, round((count / 2) ** 0.5)), count))
    places = _fitted(principal_components(products) if layout == "pca" else _umap(vectors, seed))
    return Analysis(places, nearest, distances, groups, medoids, _loneliness(distances[:, :5].mean(1)))


def inner_products(vectors: Tensor) -> Tensor:
    """Of all pairs of vectors (N, D) about their mean, (N, N) in double precision: all that is looked at here."""
    centered = vectors.double() - vectors.double().mean(0)
    return centered @ centered.T


def principal_components(products: Tensor, count: int = 2) -> Tensor:
    """Coordinates (N, count) along the directions of greatest variance, with signs that do not depend on chance.

    From `inner_products`, whose eigenvectors they are: there are far fewer pictures than features.
    """
    values, vectors = torch.linalg.eigh(products)
    found = (vectors * values.clamp_min(0).sqrt()).flip(1)[:, :count]
    found = torch.nn.functional.pad(found, (0, count - found.shape[1]))
    strongest = found.abs().argmax(0)
    return (found * found[strongest, torch.arange(count)].sign()).float()


def _distances(products: Tensor) -> Tensor:
    """Of all pairs, (N, N), with a mean of 1; 0 where rounding is all there is."""
    own = products.diagonal()
    squares = own[:, None] + own[None] - 2 * products
    apart = torch.where(squares > 1e-10 * own.max(), squares, 0).sqrt().fill_diagonal_(0)
    return (apart / apart.sum().clamp_min(1e-12) * len(apart) * (len(apart) - 1)).float()


def _umap(vectors: Tensor, seed: int) -> Tensor:
    try:
        package = importlib.import_module("umap")
    except ImportError:
        raise ValueError("The layout umap needs a package: run `pip install umap-learn`, or take pca.") from None
    if len(vectors) < 5:
        return principal_components(inner_products(vectors))
    reducer = package.UMAP(n_neighbors=min(15, len(vectors) - 1), random_state=seed)
    return torch.from_numpy(np.asarray(reducer.fit_transform(vectors.numpy()), np.float32))


def _fitted(places: Tensor) -> Tensor:
    """Both axes drawn to [0, 1]; in the middle where all stand in one place."""
    low, high = places.min(0).values, places.max(0).values
    span = high - low
    flat = span < 1e-6 * span.max().clamp_min(1e-6)
    return torch.where(flat, torch.full_like(places, 0.5), (places - low) / span.clamp_min(1e-12))


def _clusters(apart: Tensor, count: int) -> tuple[list[int], list[int]]:
    """Clusters by Ward's method (SciPy), the largest first, and the medoid of each."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    square = (apart + apart.T).double().numpy() / 2
    np.fill_diagonal(square, 0)
    found = fcluster(linkage(squareform(square, checks=False), "ward"), count, "maxclust")
    sizes = {int(label): int((found == label).sum()) for label in np.unique(found)}
    order = {label: i for i, label in enumerate(sorted(sizes, key=lambda label: (-sizes[label], label)))}
    groups = [order[int(label)] for label in found]
    medoids = []
    for group in range(len(order)):
        members = [i for i, own in enumerate(groups) if own == group]
        medoids.append(members[int(apart[members][:, members].sum(1).argmin())])
    return groups, medoids


def _loneliness(distances: Tensor) -> Tensor:
    middle = distances.median()
    spread = 1.4826 * (distances - middle).abs().median()
    return (distances - middle) / spread.clamp_min(0.02 * middle.clamp_min(1e-6))


def write_table(path: Path, collection: Collection, analyses: Mapping[str, Analysis]) -> Path:
    """Write `rows` as a CSV file, whole or not at all; what a spreadsheet would compute gets an apostrophe before it.
    Raises OSError if it cannot be written."""
    lines = [{name: _plain(cell) for name, cell in row.items()} for row in rows(collection, analyses)]
    with written(path) as part, part.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.DictWriter(file, lines[0])
        writer.writeheader()
        writer.writerows(lines)
    return path


def _plain(cell: Any) -> Any:
    """A cell that no spreadsheet computes: names of files may come from strangers (OWASP, CSV injection)."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else cell


def rows(collection: Collection, analyses: Mapping[str, Analysis]) -> Iterator[dict[str, Any]]:
    """A row for each picture, for a table or a CSV file.

    Of each kind in `analyses`: `KIND_x` and `KIND_y` (places in [0, 1]), `KIND_cluster`, `KIND_medoid` (whether it is
    in its cluster's middle), `KIND_outlier` (whether it resembles none), `KIND_nearest` and `KIND_distance`.
    """
    outliers = {kind: set(found.outliers) for kind, found in analyses.items()}
    for i, name in enumerate(collection.names):
        row: dict[str, Any] = {"file": name}
        for kind, found in analyses.items():
            row |= {
                f"{kind}_x": round(float(found.places[i, 0]), 4),
                f"{kind}_y": round(float(found.places[i, 1]), 4),
                f"{kind}_cluster": found.clusters[i] + 1,
                f"{kind}_medoid": i in found.medoids,
                f"{kind}_outlier": i in outliers[kind],
                f"{kind}_nearest": collection.names[int(found.nearest[i, 0])],
                f"{kind}_distance": round(float(found.distances[i, 0]), 4),
            }
        yield row
