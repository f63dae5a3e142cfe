"""The settings of `style_transfer` as controls: what they are called, how one chooses, a line of help each.

Defaults, bounds and choices come from the recipe itself; here are only words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr
from gradio.components import Component

from nst import weights
from nst.encoders import CONTENT_LAYERS, STYLE_LAYERS, VGG_DEPTHS
from nst.recipes import DEFAULTS, WHOLE, valid_settings
from nst.registry import list_models
from nst.stylize import BOUNDS, CHOICES

SIZES = (256, 384, 512, 768, 1024, 1536, 2048)
AUTO = "as preset"
"""What a choice says while the preset decides; stands for None."""

WORDS = {
    "content": "The photo",
    "style": "The style",
    "adam": "Adam",
    "lbfgs": "L-BFGS",
    "sgd": "Gradient descent",
    "gram": "Gram matrices",
    "wasserstein": "Wasserstein distance",
    "auto": "Automatic",
    "cpu": "Processor",
    "cuda": "NVIDIA GPU",
    "mps": "Apple GPU",
}
"""What a choice is called where its own name would not do."""

ABOUT = {
    "style_scale": ("Brush size", "Larger takes coarser strokes."),
    "tv_weight": ("Smoothness", "Removes grain; empty is automatic."),
    "init": ("Start from", "Noise moves furthest from the photo."),
    "seed": ("Seed", "The same seed, the same picture."),
    "encoder": ("Encoder", "The network that compares pictures."),
    "num_steps": ("Steps", "Over all scales; empty is automatic."),
    "optimizer": ("Optimizer", "L-BFGS takes fewer, dearer steps."),
    "learning_rate": ("Learning rate", "How bold a step is."),
    "style_loss": ("Style loss", "How two textures are compared."),
    "pooling": ("Pooling", "Average is smoother, max is crisper."),
    "content_layers": ("Content layers", "Deeper ones keep less detail."),
    "style_layers": ("Style layers", "Shallow: color, grain; deep: motifs."),
    "style_layer_weights": ("Style layer weights", "One number a layer; empty is equal."),
    "tv_exponent": ("Smoothness exponent", "Below 2 spares edges."),
    "device": ("Computed on", "Automatic is the fastest one here."),
}
"""Title and line of help of each control in the closed section."""

LAYER_DEFAULTS = {"content_layers": CONTENT_LAYERS, "style_layers": STYLE_LAYERS}


def main_controls() -> dict[str, Component]:
    """The three that are always in sight, by the name of their setting; to be called where they are laid out."""
    low, high = BOUNDS["strength"]
    strength = gr.Slider(
        low, high, DEFAULTS["strength"], step=1, label="Style strength", elem_id="strength",
        info="0 keeps the photo as it is, 100 asks for the style alone.",
    )  # fmt: skip
    with gr.Row():
        preset = gr.Radio(
            _choices("preset"), value=DEFAULTS["preset"], label="Preset", elem_id="preset", elem_classes="segments",
            info="How much care is taken.", min_width=220, scale=3,
        )  # fmt: skip
        size = gr.Dropdown(
            list(SIZES), value=DEFAULTS["size"], allow_custom_value=True, label="Size", elem_id="size",
            info="Long side in pixels.", min_width=120, scale=2,
        )  # fmt: skip
    return {"strength": strength, "size": size, "preset": preset}


def more_controls() -> dict[str, Component]:
    """The rest, by the name of their setting, two in a row; to be called where they are laid out."""
    pairs: dict[str, list[tuple[str, Callable[[str], Component]]]] = {
        "": [("style_scale", _slider), ("tv_weight", _number), ("init", _dropdown), ("seed", _number)],
        "How it is optimized": [
            ("encoder", _dropdown), ("num_steps", _number), ("optimizer", _dropdown), ("learning_rate", _number),
        ],
        "What is compared": [
            ("style_loss", _dropdown), ("pooling", _dropdown), ("content_layers", _layers), ("style_layers", _layers),
            ("style_layer_weights", _text), ("tv_exponent", _number),
        ],
        "Where it is computed": [("device", _dropdown)],
    }  # fmt: skip
    made: dict[str, Component] = {}
    for title, section in pairs.items():
        if title:
            gr.Markdown(f"### {title}")
        for i in range(0, len(section), 2):
            with gr.Row():
                made |= {name: control(name) for name, control in section[i : i + 2]}
    return made


def read(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the controls say, as keyword arguments of `style_transfer`; those left to the preset are not in it.

    Raises:
        ValueError: a value that makes no sense, with a sentence that names it.
    """
    given = {name: value for name, value in values.items() if value not in (None, "", AUTO) and value != []}
    for name, default in LAYER_DEFAULTS.items():
        if list(given.get(name, [])) == list(default):
            del given[name]
    valid = valid_settings(given)
    for name in given.keys() - valid.keys():
        title = ABOUT[name][0] if name in ABOUT else name.capitalize()
        raise ValueError(f"{title}: {given[name]!r} makes no sense here.")
    layers, layer_weights = valid.get("style_layers", STYLE_LAYERS), valid.get("style_layer_weights")
    if layer_weights and len(layer_weights) != len(layers):
        raise ValueError(f"There are {len(layers)} style layers, but {len(layer_weights)} weights: give one a layer.")
    return valid


def shown(name: str, value: Any) -> Any:
    """The value that the control of this setting shows for it; the inverse of `read`."""
    if name in LAYER_DEFAULTS:
        return list(value or LAYER_DEFAULTS[name])
    if name == "style_layer_weights":
        return ", ".join(f"{weight:g}" for weight in value or [])
    return AUTO if value is None and name in CHOICES else value


def is_here(encoder: str) -> bool:
    """Whether the weights of this encoder lie on this machine."""
    entry = _entry(encoder)
    return entry is None or weights.find(entry) is not None


def _entry(encoder: str) -> weights.Weights | None:
    return next((model for model in list_models("encoder") if model.name == encoder), None)


def _choices(name: str) -> list[tuple[str, str]]:
    if name == "encoder":
        return [(_encoder_title(value), value) for value in CHOICES[name]]
    own = [("As the encoder's" if name == "pooling" else "As the preset", AUTO)] if DEFAULTS[name] is None else []
    return own + [(WORDS.get(value, value.capitalize()), value) for value in CHOICES[name]]


def _encoder_title(name: str) -> str:
    entry = _entry(name)
    if entry is None or not entry.repo:
        return f"{name.capitalize()} (built in)"
    title = name.upper().replace("VGG", "VGG-")
    return title if weights.find(entry) else f"{title} ({entry.download / 1e6:.0f} MB download)"


def _dropdown(name: str) -> gr.Dropdown:
    title, info = ABOUT[name]
    return gr.Dropdown(_choices(name), value=shown(name, DEFAULTS[name]), label=title, info=info, elem_id=name)


def _layers(name: str) -> gr.Dropdown:
    title, info = ABOUT[name]
    names = [f"relu{stage}_{i}" for stage, depth in enumerate(VGG_DEPTHS["vgg19"], 1) for i in range(1, depth + 1)]
    return gr.Dropdown(names, value=shown(name, None), multiselect=True, label=title, info=info, elem_id=name)


def _slider(name: str) -> gr.Slider:
    title, info = ABOUT[name]
    return gr.Slider(*BOUNDS[name], DEFAULTS[name], step=0.05, label=title, info=info, elem_id=name)


def _number(name: str) -> gr.Number:
    title, info = ABOUT[name]
    whole = name in WHOLE
    return gr.Number(
        DEFAULTS[name], label=title, info=info, placeholder="automatic", precision=0 if whole else None,
        step=1 if whole else 0.01, elem_id=name,
    )  # fmt: skip


def _text(name: str) -> gr.Textbox:
    title, info = ABOUT[name]
    return gr.Textbox(label=title, info=info, placeholder="1, 1, 1, 1, 1", max_lines=1, elem_id=name)
