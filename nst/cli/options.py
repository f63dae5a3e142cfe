"""From a task to the options of its command: pictures, settings, and what becomes of them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nst.cli.arguments import METAVARS, Parser, explained, read_number, shown
from nst.places import PROGRAM
from nst.settings.setting import Setting
from nst.tasks.task import CLIP, PAINTED, Input, Task

SNAPSHOTS = 12  # how many moments of a run are kept, about


def parser(task: Task, command: str, about: str) -> Parser:
    """The parser of a task's command."""
    places = " ".join(one.role.upper() for one in task.inputs if not one.option)
    made = Parser(
        prog=f"{PROGRAM} {command}",
        usage=" ".join(filter(None, ("%(prog)s", places, "[options]", "" if task.keeps else "-o OUT"))),
        description=about,
        epilog=f"Example: {PROGRAM} {command} {task.example}",
    )
    shared: dict[str, list[Input]] = {}
    for one in task.inputs:
        shared.setdefault(one.option or one.name, []).append(one)
    for option, inputs in shared.items():
        _add_inputs(made, option, inputs)
    layout = task.layout(task.defaults)
    where = "the picture to write (.png, .jpg or .webp), or a folder"
    if layout.clip:
        where = f"the clip to write ({', '.join(layout.films)}), or a folder for single pictures"
    elif layout.films:
        where = f"the pictures in one, a film ({', '.join(layout.films)}), or a folder for single ones"
    must = not optional(task) and task.keeps is None
    made.add_argument("-o", "--output", metavar="OUT", required=must, help=where)
    for extra in task.extras:
        made.add_argument(f"--{extra.option}", metavar="FILE", help=extra.help)
    if takes_folders(task):
        made.add_argument("--overwrite", action="store_true", help="with a folder, do not skip what is painted already")
        many = "with a folder, paint so many pictures at once, each in a process of its own (default: 1)"
        made.add_argument("--workers", metavar="N", type=read_number(int, (1, 256)), default=1, help=many)
    made.add_argument(
        "--recipe", metavar="PICTURE", help="take the settings from a picture that Pastiche made; what is typed wins"
    )
    if layout.seconds:
        rate = f"pictures a second in a film (default: {1 / layout.seconds:g})"
        made.add_argument("--rate", metavar="N", type=read_number(float, (1, 60)), help=rate)
    if "num_steps" in task.settings:
        made.add_argument(
            "--snapshots", metavar="DIR", type=Path, help=f"keep about {SNAPSHOTS} moments of a run as JPEG"
        )
        made.add_argument(
            "--trace", metavar="FILE", type=Path, help="write the losses of every step to this file, as JSON"
        )
    groups: dict[str, Any] = {}
    for setting in task.settings.values():
        if setting.option != "":
            group = groups.setdefault(setting.group, None) or made.add_argument_group(setting.group)
            groups[setting.group] = group
            _add_setting(group, setting)
    return made


def typed_settings(args: argparse.Namespace, task: Task) -> dict[str, Any]:
    """The settings that were typed; what was given once for all styles is a number, not a list of one."""
    typed = {name: getattr(args, name) for name in task.settings if hasattr(args, name)}
    for name, setting in task.settings.items():
        if setting.many == "each" and len(typed.get(name, ())) == 1:
            typed[name] = typed[name][0]
    return typed


def option_of(setting: Setting) -> str:
    """What a setting is called on the command line."""
    return f"--{setting.option or setting.name.replace('_', '-')}"


def takes_folders(task: Task) -> bool:
    """Whether the command paints each picture of a folder."""
    return bool(task.inputs) and task.inputs[0].name == PAINTED and task.inputs[0].least > 0


def optional(task: Task) -> bool:
    """Whether the command can do without what is painted."""
    return bool(task.inputs) and not task.inputs[0].least and not task.inputs[0].option


def _add_inputs(made: Parser, option: str, inputs: list[Input]) -> None:
    first, metavar = inputs[0], inputs[0].role.upper()
    if not first.option:
        nargs = "*" if first.most > 1 else "?" if not first.least else None
        many = "clips" if first.role == CLIP else "pictures"
        folder = f", or a folder of {many}" if first.name == PAINTED and first.least else ""
        made.add_argument(first.name, metavar=metavar, nargs=nargs, help=f"{first.help}{folder}")
    elif len(inputs) > 1:
        made.add_argument(f"--{option}", dest=option, metavar=metavar, nargs="+", help=first.help)
    else:
        metavar += "[:WEIGHT]" if first.by_name else ""
        made.add_argument(f"--{option}", dest=first.name, metavar=metavar, action="append", help=first.help)


def _add_setting(group: Any, setting: Setting) -> None:
    """An option whose default is shown but not set, so that what was typed can be told from what was not."""
    names = dict.fromkeys([option_of(setting), f"--{setting.name.replace('_', '-')}"])
    form: dict[str, Any] = {"dest": setting.name, "default": argparse.SUPPRESS, "help": _help(setting)}
    words = list(setting.choices)
    if setting.kind is bool:
        form["action"] = argparse.BooleanOptionalAction
    elif words and not setting.free and not setting.joined:
        form["choices"] = words
    else:
        form["type"] = _reader(setting)
        free = "A+B" if setting.joined else setting.free
        form["metavar"] = "|".join([*words, free]) if free and words else free or METAVARS.get(setting.kind, "NAME")
    if setting.many:
        form |= {"action": "append"} if setting.option else {"nargs": "+"}
    group.add_argument(*names, **form)


def _reader(setting: Setting) -> Callable[[str], Any]:
    if setting.kind in (int, float):
        bounds = (setting.low, setting.high) if setting.low is not None and setting.high is not None else None
        return read_number(setting.kind, bounds)
    return whole_path if setting.free in ("FILE", "FOLDER") else str


def whole_path(text: str) -> str:
    """A name, or the path of a file as it is used later."""
    return str(Path(text).expanduser()) if text.startswith("~") else text


def _help(setting: Setting) -> str:
    notes = []
    if setting.low is not None and setting.many != "list" and setting.high is not None:
        notes.append(f"{setting.low:.10g} to {setting.high:.10g}")
    default = setting.default
    if default is None and setting.unset:
        notes.append(f"default: {setting.unset}")
    elif default is not None and not isinstance(default, bool):
        notes.append(f"default: {shown(default)}")
    return explained(re.sub(r"; empty is [^;.]*", "", setting.help), notes)
