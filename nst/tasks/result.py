"""A result: pictures with titles, a film of them where they follow each other, and the recipe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from nst.images import grid, save, save_cube, to_pil
from nst.video import FORMATS, save_film


@dataclass(frozen=True)
class Layout:
    """What the pictures of a result are, and how they are shown.

    Attributes:
        titles: of the pictures, in their order; none where there is one.
        columns: how many stand in a row.
        main: the one that is the result, where the others only go with it.
        seconds: that each is shown as a film; 0 where they make none.
        returns: whether the film goes back the way that it came.
        plays: whether it is a film above all.
        stems: names of the files of single pictures; they are numbered where there are none.
        suffix: of those files.
        clip: whether it is a clip, which the run itself writes as it comes.
        table: whether it is, or comes with, a look-up table of colors.
    """

    titles: tuple[str, ...] = ()
    columns: int = 1
    main: int | None = None
    seconds: float = 0.0
    returns: bool = False
    plays: bool = False
    stems: tuple[str, ...] = ()
    suffix: str = ".png"
    clip: bool = False
    table: bool = False

    @property
    def films(self) -> tuple[str, ...]:
        """The suffixes of files that hold a film of the pictures."""
        if self.clip:
            return tuple(FORMATS)
        return () if not self.seconds else (".gif", ".webp", ".mp4") if self.plays else (".gif", ".mp4")


ONE = Layout()  # one picture


@dataclass(frozen=True)
class Result:
    """What a run came to, or has come to so far.

    Attributes:
        images: (N, 3, H, W) in [0, 1].
        layout: what they are.
        recipe: of the run.
        alpha: transparency that goes with a single picture.
    """

    images: Tensor
    layout: Layout = ONE
    recipe: dict[str, Any] = field(default_factory=dict)
    alpha: Image.Image | None = None

    @property
    def picture(self) -> Image.Image:
        """All in one: the only picture, the main one, or a grid."""
        main = 0 if len(self.images) == 1 else self.layout.main
        return to_pil(grid(self.images, self.layout.columns) if main is None else self.images[main : main + 1])

    @property
    def pictures(self) -> Iterator[tuple[str, Image.Image]]:
        """Each picture, with its title."""
        titles = self.layout.titles or ("",) * len(self.images)
        return ((title, to_pil(image)) for title, image in zip(titles, self.images.split(1), strict=False))

    def save(self, path: Path) -> Path:
        """Write the picture, with the recipe inside. Raises ImageError where it cannot be written, as all of these."""
        return save(path, self.picture, recipe=self.recipe or None, alpha=self.alpha)

    def save_film(self, path: Path, rate: float | None = None) -> Path:
        """Write the pictures as a film, at so many a second."""
        frames = [picture for _, picture in self.pictures]
        if self.layout.returns:
            frames += frames[-2:0:-1]
        return save_film(path, frames, rate or 1 / self.layout.seconds)

    def save_table(self, path: Path) -> Path:
        """Write the picture, whose pixels are a look-up table as of `nst.stylize.color_table`, as a .cube file."""
        return save_cube(path, self.images)

    def save_each(self, folder: Path) -> Iterator[Path]:
        """Write each picture into a folder, with the recipe inside."""
        for name, (_, picture) in zip(self.file_names(), self.pictures, strict=False):
            yield save(folder / name, picture, recipe=self.recipe or None)

    def file_names(self) -> list[str]:
        """What the files of the single pictures are called."""
        stems = self.layout.stems or tuple(f"{i:02d}" for i in range(1, len(self.images) + 1))
        return [f"{stem}{self.layout.suffix}" for stem in stems]


def plain(name: object) -> str:
    """A name as part of a file's."""
    return re.sub(r"[^a-z0-9]+", "-", str(name).lower()).strip("-")
