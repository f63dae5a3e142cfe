"""Reading a collection: every picture once, kept for the next time; broken files are left out and named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nst.collection.embedding_cache import Entry, place_of, recall, remember
from nst.collection.embeddings import LAYERS, content_embedding, style_embedding
from nst.device import Device, choose_device, moved
from nst.encoders import load_encoder
from nst.images import IMAGE_SUFFIXES, ImageError, decode, encode, to_tensor
from nst.losses import Features

SIZE, THUMBNAIL = 256, 72
"""Long sides in pixels: at which a picture is looked at, and of its thumbnail."""

AHEAD = 8
"""Pictures that are decoded before their turn; each may be a photo of 40 megapixels."""

MOST = 5000
"""Pictures in a collection."""


@dataclass(frozen=True)
class Collection:
    """The pictures of a collection.

    Attributes:
        names: the files' names, within the folder.
        style, content: (N, D) each, see `nst.collection.embeddings`.
        thumbnails: WebP.
        broken: what is wrong with files that are no pictures, by name.
    """

    names: list[str]
    style: Tensor
    content: Tensor
    thumbnails: list[bytes]
    broken: dict[str, str] = field(default_factory=dict)


def pictures_in(folder: str | Path) -> list[Path]:
    """The files of a folder, and of those in it, whose names are those of pictures; in order. What is hidden, and what
    other programs keep thumbnails in (.thumbnails, @eaDir), is left out."""
    root = Path(folder)
    if not root.is_dir():
        raise ImageError(f"'{folder}' is no folder; name one that holds pictures.")
    named = (path for path in sorted(root.rglob("*")) if path.suffix.lower() in IMAGE_SUFFIXES)
    return [path for path in named if not _hidden(path.relative_to(root)) and path.is_file()]


def names_in(folder: str | Path) -> list[str]:
    """What those files are called: their paths within the folder, with what is no Unicode in them replaced."""
    return [_shown(path.relative_to(folder).as_posix()) for path in pictures_in(folder)]


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "@ea")) for part in path.parts)


def _shown(name: str) -> str:
    return name.encode("utf-8", "replace").decode()


def read_collection(
    pictures: str | Path | Sequence[str | Path],
    *,
    names: Sequence[str] | None = None,
    encoder: str = "compact",
    keep: bool = True,
    device: str | Device = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Collection:
    """Look at every picture; what was looked at before and has not changed is taken from the cache.

    Args:
        pictures: a folder, or files.
        names: what the files are called; None means their own names.
        encoder: looks at them, by name or file.
        keep: whether to keep what is found, in `nst.weights.cache_dir()`.
        device: see `nst.device.choose_device`.
        progress: called with how many are done and how many there are.

    Raises:
        ImageError: no folder, more than `MOST` pictures, or fewer than two that can be read.
    """
    root = Path(pictures) if isinstance(pictures, str | Path) else None
    files = pictures_in(root) if root else [Path(path) for path in pictures]  # type: ignore[union-attr]
    if len(files) > MOST:
        raise ImageError(f"These are {len(files)} pictures, and a map holds {MOST} at most: choose some of them.")
    called = list(names) if names else names_in(root) if root else [_shown(path.name) for path in files]
    kept, broken = list[tuple[str, Entry]](), dict[str, str]()
    for done, (name, entry) in enumerate(zip(called, _entries(files, encoder, keep, device), strict=True), 1):
        if isinstance(entry, str):
            broken[name] = entry
        else:
            kept.append((name, entry))
        if progress:
            progress(done, len(files))
    if len(kept) < 2:
        first = f" {next(iter(broken))}: {next(iter(broken.values()))}" if broken else ""
        raise ImageError(f"A map needs two pictures at least, and there {_are(len(kept))}.{first}")
    style, content = (
        torch.from_numpy(np.stack([np.frombuffer(entry[i], np.float16) for _, entry in kept]).astype(np.float32))
        for i in (0, 1)
    )
    return Collection([name for name, _ in kept], style, content, [entry[2] for _, entry in kept], broken)


def _are(count: int) -> str:
    return "is one" if count == 1 else "is none"


def _entries(files: Sequence[Path], encoder: str, keep: bool, device: str | Device) -> Iterator[Entry | str]:
    """What is known of each file, in order; or what is wrong with it."""
    device = choose_device(device)
    network = moved(load_encoder(encoder), device)
    places = [place_of(path, encoder) for path in files]
    known = [recall(place) if keep else None for place in places]
    with ThreadPoolExecutor(2) as pool:
        waiting = {i: pool.submit(open_small, files[i]) for i in range(min(AHEAD, len(files))) if not known[i]}
        try:
            for i in range(len(files)):
                if (ahead := i + AHEAD) < len(files) and not known[ahead]:
                    waiting[ahead] = pool.submit(open_small, files[ahead])
                if entry := known[i]:
                    yield entry
                    continue
                opened = waiting.pop(i).result()
                if isinstance(opened, str):
                    yield opened
                    continue
                with torch.no_grad(), device.autocast():
                    features = network(device.place(to_tensor(opened)), LAYERS)
                entry = _entry(opened, features)
                if keep:
                    remember(places[i], entry)
                yield entry
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # whoever ends this early waits for no more pictures


def _entry(image: Image.Image, features: Features) -> Entry:
    vectors = [look(features).float().cpu().numpy() for look in (style_embedding, content_embedding)]
    small = image.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    style, content = (vector.astype(np.float16).tobytes() for vector in vectors)
    return style, content, encode(small, format="webp", quality=80)


def open_small(path: Path) -> Image.Image | str:
    """The picture at the size at which it is looked at, or what is wrong with it."""
    try:
        image = decode(path, size=8 * SIZE).rgb
    except ImageError as error:
        return str(error)
    image.thumbnail((SIZE, SIZE), Image.Resampling.BICUBIC, reducing_gap=2)
    if min(image.size) < 16:  # too narrow for the deepest layers: opened out with its own edges
        image = image.resize((max(16, image.width), max(16, image.height)))
    return image
