"""Pictures that commands are given, by file or by name, and the recipes inside them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from nst import styles
from nst.cli.arguments import PROGRAM
from nst.images import ImageError, Picture, decode, read_recipe, save, to_tensor
from nst.recipes import ENCODERS, names_of, settings_from_recipe
from nst.stylize import CHOICES, open_mask

STYLE_SIZE = 1024
"""Long side in pixels at which a style known by name is drawn, unless the result is larger; as in the app."""

REST = "rest"
"""In place of a mask: all that the other masks leave, or all of a style."""

NAMED = {"masks": "--mask", "style_masks": "--style-mask", "keep": "--keep", "content_map": "--semantic"}
"""What a recipe knows by name only, and the option for it."""


def open_content(content: str) -> Picture:
    """A picture file, or an example photo by name."""
    if not Path(content).exists() and content in {example.name for example in styles.list_contents()}:
        return Picture(styles.load_content(content))
    return decode(content)


def open_recipe(path: str) -> dict[str, Any]:
    """The recipe inside a picture."""
    if recipe := read_recipe(path):
        return recipe
    raise ImageError(f"'{path}' holds no recipe; give a picture as Pastiche wrote it, not a copy from another program.")


def restore(path: str | None, task: str, typed: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The recipe inside a picture, and the settings of a task that it and what was typed come to.

    Args:
        path: of the picture; None for no recipe.
        task: see `nst.recipes.TASKS`.
        typed: settings, which win.

    Raises:
        ImageError: no recipe, or one that needs an encoder that only its user has.
    """
    if not path:
        return {}, typed
    recipe = open_recipe(path)
    said = recipe.get("settings")
    for role in ENCODERS:
        own = said.get(role) if isinstance(said, dict) else None
        if own and own not in CHOICES[role] and role not in typed:
            option = f"--{role.replace('_', '-')}"
            raise ImageError(f"'{path}' was painted with an encoder of one's own, {own}: name it with {option}.")
    if lost := [option for name, option in NAMED.items() if recipe.get(name)]:
        print(f"'{path}' was painted with what it does not hold: give it with {', '.join(lost)}.", file=sys.stderr)
    # The device is left out: it has no part in the picture, and may not be here.
    settings = {name: value for name, value in settings_from_recipe(recipe, task).items() if name != "device"}
    return recipe, settings | typed


def open_style(style: object, settings: dict[str, Any]) -> tuple[str, Tensor]:
    """The name and the picture (1, 3, H, W) of a style: a file, or one known by name."""
    if not isinstance(style, str):
        raise ImageError(f"Which style? Give --style a picture, or a name that `{PROGRAM} styles` lists.")
    path = Path(style)
    if path.exists() or path.suffix or len(path.parts) > 1:
        return path.name, to_tensor(decode(path))
    scales = settings.get("style_scale", 1.0)
    sides = [settings.get(name, 0) for name in ("size", "width", "height")]
    size = round(max(sides) * max(scales if isinstance(scales, list) else [scales]))
    return style, to_tensor(styles.load_style(style, max(STYLE_SIZE, min(size, styles.LARGEST))))


def open_styles(
    given: Sequence[str] | None, recipe: dict[str, Any], settings: dict[str, Any]
) -> tuple[list[str], list[Tensor]]:
    """The names and the pictures of all styles, typed or from a recipe."""
    wanted: Sequence[object] = given or names_of(recipe.get("style")) or [None]
    opened = [open_style(style, settings) for style in wanted]
    return [name for name, _ in opened], [picture for _, picture in opened]


def open_masks(given: Sequence[str] | None) -> list[Tensor | None] | None:
    """The pictures of masks; None for each that is `REST`."""
    return [None if path == REST else open_mask(path) for path in given] if given else None


def check_writable(out: Path) -> None:
    """Make the result's folder, and refuse now what `save` would refuse after the painting."""
    out.parent.mkdir(parents=True, exist_ok=True)
    trial = out.with_name(f".trial-{os.getpid()}{out.suffix}")
    try:
        save(trial, Image.new("RGB", (1, 1)))
    except ImageError as error:
        raise ImageError(str(error).replace(str(trial), str(out))) from error
    finally:
        trial.unlink(missing_ok=True)
