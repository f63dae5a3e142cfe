"""A task: the pictures it takes, what can be set, what it makes of them, and how the app lays it out.

The app, the command line, links, recipes, endpoints and pages of shared results are made from tasks, and know none of
them by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from nst.encoders import load_encoder
from nst.optimize import Step
from nst.registry import load_model
from nst.settings import SETTINGS
from nst.settings.setting import Setting
from nst.tasks.result import ONE, Layout

CONTENT, STYLE, MASK, MAP, CLIP = "content", "style", "mask", "map", "clip"
"""The roles of pictures: what is painted, what it is painted like, where, what is where; and that of a clip."""

PAINTED = "content"  # the input that is painted over; of a folder each picture in turn

MANY = 32
REST = "rest"  # in place of a mask: all that the other masks leave, or all of a style

Values = Mapping[str, Any]
Run = Callable[..., Iterator[Step]]


@dataclass(frozen=True)
class Input:
    """A picture that a task takes, or several.

    Attributes:
        name: of the argument that it is, in the run and in recipes.
        role: one of the above.
        title: what it is called.
        help: what may be given.
        option: of the command line; "" takes it by its place. Inputs that share one take its words in turn.
        least, most: how many pictures.
        default: the example that the app begins with.
        by_name: whether the run itself knows some by name.
    """

    name: str
    role: str
    title: str
    help: str = "a picture"
    option: str = ""
    least: int = 1
    most: int = 1
    default: str | None = None
    by_name: bool = False


@dataclass(frozen=True)
class Extra:
    """A further picture that one can have written: made of the inputs and the settings, or of the result's pictures.
    Its layout says if it is a table of colors."""

    option: str
    help: str
    of_inputs: Callable[[Values], Tensor] | None = None
    of_result: Callable[[Tensor], Tensor] | None = None
    layout: Layout = ONE


@dataclass(frozen=True)
class Panel:
    """How the app lays a task out.

    Attributes:
        title: of its tab; `home` of the one that this stands in, if it has none for itself.
        line: what one does there, in a sentence.
        prefix: what the names of its elements in the page begin with; None is the task's name.
        verb: what the button says; `also` a second one, if there is one, and `hint` what it is for.
        main: the settings that are always in sight, in rows; `more` those in the closed section.
        compares: whether photo and result can be laid over each other.
        tiles: whether the result is shown tiled, too.
        traces: whether losses are drawn, where there are some.
        scored: whether a result is to be like its style, where there is one, so that it can be scored.
        several: what the gallery of a result's pictures is called.
        first: what is to be seen before anything is made: one of `nst.pictures`, or a photo and what became of it.
        told: what that is.
        continues: whether one can go on from the result, where a run can start from a picture.
    """

    title: str
    prefix: str | None = None
    home: str = ""
    line: str = ""
    verb: str = "Paint"
    also: str = ""
    hint: str = ""
    main: tuple[tuple[str, ...], ...] = ()
    more: tuple[str, ...] = ()
    compares: bool = True
    tiles: bool = False
    traces: bool = True
    scored: bool = True
    several: str = ""
    first: tuple[str, ...] = ()
    told: str = ""
    continues: bool = True


def nothing_changes(inputs: dict[str, Any], names: Values, settings: dict[str, Any]) -> None:
    """Nothing is missing."""


@dataclass(frozen=True)
class Task:
    """See above.

    Attributes:
        name: in recipes and links.
        run: takes the inputs and the settings by name.
        inputs: what it takes.
        example: of the command line, without the program's name.
        panel: its place in the app.
        caption: what a result is called, with {content} and {style} in it.
        functions: whose keyword-only arguments are the settings, with their defaults, where that is not `run`.
        rows: the table of settings.
        without: arguments that are not to be set.
        layout: what a result with such settings consists of.
        prepare: completes inputs and settings, given what the pictures are called.
        shape: height and width of what is painted, of those of the first picture and the settings; None for none.
        times: how many plain runs such settings amount to.
        loads: loads the network that it needs, by name; None is what loads encoders, or models.
        extras: further pictures that can be written.
        memory: bytes that a run takes whatever the size of its pictures.
        keeps: the file that a run itself writes, by its settings; None where it writes none.
    """

    name: str
    run: Run
    inputs: tuple[Input, ...]
    example: str
    panel: Panel
    caption: str = "{content} in the manner of {style}"
    functions: tuple[Callable[..., Any], ...] = ()
    rows: Mapping[str, Setting] = field(default_factory=lambda: SETTINGS)
    without: frozenset[str] = frozenset()
    layout: Callable[[Values], Layout] = lambda settings: ONE
    prepare: Callable[[dict[str, Any], Values, dict[str, Any]], None] = nothing_changes
    shape: Callable[[tuple[int, int] | None, Values], tuple[int, int] | None] = lambda shape, settings: shape
    times: Callable[[Values], float] = lambda settings: 1.0
    loads: Callable[..., object] | None = None
    extras: tuple[Extra, ...] = ()
    memory: int = 0
    keeps: Callable[[Values], Path] | None = None

    @cached_property
    def settings(self) -> dict[str, Setting]:
        """Its settings by name, in the order of the table, each with its default here."""
        found: dict[str, Any] = {}
        for function in self.functions or (self.run,):
            for parameter in inspect.signature(function).parameters.values():
                if parameter.default is not parameter.empty and parameter.name not in self.without:
                    found[parameter.name] = parameter.default
        return {name: replace(row, default=found[name]) for name, row in self.rows.items() if name in found}

    @property
    def defaults(self) -> dict[str, Any]:
        """The default of each setting."""
        return {
            name: list(s.default) if isinstance(s.default, tuple) else s.default for name, s in self.settings.items()
        }

    def input(self, name: str) -> Input:
        """The input of this name."""
        return next(one for one in self.inputs if one.name == name)

    def role(self, name: str) -> str:
        """The role of an input, "" for what is none."""
        return next((one.role for one in self.inputs if one.name == name), "")

    @property
    def slots(self) -> tuple[Input, ...]:
        """The inputs that have a place in sight."""
        return tuple(one for one in self.inputs if one.name in (PAINTED, "style"))

    @property
    def optimizes(self) -> bool:
        """Whether it needs time and memory as `style_transfer` does."""
        return "preset" in self.settings

    @property
    def load(self) -> Callable[..., object]:
        """Loads the network that it needs, by name."""
        return self.loads or (load_encoder if self.optimizes else load_model)

    @property
    def traces(self) -> bool:
        """Whether there are losses to draw."""
        return self.panel.traces and "num_steps" in self.settings

    @property
    def scored(self) -> bool:
        """Whether it can be told how good a pastiche a result is."""
        return self.panel.scored and any(one.role == STYLE for one in self.inputs)

    @property
    def continues(self) -> bool:
        """Whether one can go on from a result."""
        return self.panel.continues and "init" in self.settings

    @property
    def prefix(self) -> str:
        """What the names of its elements in the page begin with."""
        return self.name.replace("_", "-") if self.panel.prefix is None else self.panel.prefix

    @property
    def paints_clips(self) -> bool:
        """Whether what it paints is a clip."""
        return bool(self.inputs) and self.inputs[0].role == CLIP

    @property
    def costs(self) -> tuple[str, ...]:
        """The settings that time and memory depend on."""
        return tuple(name for name, setting in self.settings.items() if setting.costs)
