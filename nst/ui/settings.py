"""The settings of the recipes as controls: what they are called, how one chooses, a line of help each.

Defaults, bounds and choices come from the recipes themselves; here are only words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
from gradio.components import Component

from nst import fast, translate, weights
from nst.encoders import CONTENT_LAYERS, STYLE_LAYERS, VGG_DEPTHS
from nst.recipes import LIMITS, TASKS, WHOLE, valid_settings
from nst.registry import find_model, list_models
from nst.stylize import CHOICES

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
    "moments": "Mean and variance",
    "mmd-linear": "MMD, linear kernel",
    "mmd-polynomial": "MMD, polynomial kernel",
    "mmd-gaussian": "MMD, Gaussian kernel",
    "histogram": "Histograms",
    "correlation": "Shifted correlations",
    "patches": "Patches",
    "statistics": "Between the styles",
    "losses": "Each style at once",
    "inside": "Keep to the inside",
    "soft": "Soft edges",
    "all": "All they touch",
    "none": "The style's",
    "luminance": "Lightness only",
    "cholesky": "Mean and covariance (Cholesky)",
    "pca": "Mean and covariance (PCA)",
    "before": "Before painting",
    "after": "After painting",
    "auto": "Automatic",
    "cpu": "Processor",
    "cuda": "NVIDIA GPU",
    "mps": "Apple GPU",
    "horse2zebra": "Horse → zebra",
    "photo2vangogh": "Photo → Van Gogh",
    "vangogh2photo": "Van Gogh → photo",
    "horse2zebra_large": "Horse → zebra, large",
    "zebra2horse": "Zebra → horse, large",
    "predictor": "Predicted",
    "adain": "AdaIN",
    "faces": "Ours, 128 pixels",
    "faces_1024": "PGGAN, 1,024 pixels",
}
"""What a choice is called where its own name would not do."""

ABOUT = {
    "strength": ("Style strength", "0 keeps the photo as it is, 100 asks for the style alone."),
    "preset": ("Preset", "How much care is taken."),
    "size": ("Size", "Long side in pixels."),
    "style_scale": ("Brush size", "Larger takes coarser strokes."),
    "brush": ("Brush size", "Larger takes coarser strokes."),
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
    "mixing": ("Styles are mixed", "Between them, or all of them at once."),
    "preserve_color": ("Colors", "Keep the photo's colors, or take the style's."),
    "color_when": ("Colors are kept", "By recoloring the style, or the result."),
    "guide": ("Edges of regions", "How far a style reaches at the edges."),
    "norm_weight": ("Softer colors", "Keeps colors from burning out."),
    "norm_exponent": ("Softer colors exponent", "Higher spares the middle."),
    "kernel_degree": ("Kernel degree", "Of the polynomial kernel."),
    "kernel_offset": ("Kernel offset", "Of the polynomial kernel."),
    "kernel_bandwidth": ("Kernel bandwidth", "Of the Gaussian kernel, in medians."),
    "activation_shift": ("Activation shift", "Of the correlations; −1 as in the paper."),
    "correlations": ("Correlations", "Within layers, across, or chained."),
    "patch_size": ("Patch size", "In positions of a layer."),
    "semantic_weight": ("Meaning", "How much it counts beside likeness."),
    "width": ("Width", "In pixels."),
    "height": ("Height", "In pixels."),
    "seamless": ("Seamless", "Tiles without a visible seam."),
    "pictures": ("Pictures", "How many lead from one style to the other."),
    "layer": ("Layer", "Whose knowledge is shown."),
    "starts": ("Starts", "From how many noises."),
    "direction": ("What becomes of it", "Each is a network of its own."),
    "count": ("Faces", "How many."),
    "truncation": ("Variety", "0 is the mean face, 1 takes every risk."),
    "like": ("Like face", "Its number; empty is any."),
    "likeness": ("Likeness", "How much like it."),
    "first": ("First face", "Its number."),
    "second": ("Second face", "Its number."),
    "faces": ("Faces", "Their numbers, in the film's order."),
    "frames": ("Pictures", "In the whole film."),
    "model": ("Network", "The larger one is fetched from the Hub."),
    "pixel_weight": ("Pixels", "How much they count, against the features."),
}
"""Title and line of help of each control."""

PAPERS = {
    "style_loss": (
        "What the papers say: [Gram](https://arxiv.org/abs/1508.06576), "
        "[Wasserstein](https://arxiv.org/abs/1905.12828), [MMD and moments](https://arxiv.org/abs/1701.01036), "
        "[histograms](https://arxiv.org/abs/1701.08893), [shifted correlations](https://arxiv.org/abs/1605.04603), "
        "[patches](https://arxiv.org/abs/1601.04589)."
    ),
}
"""What stands beneath a section that has this control."""

LISTED = {"style_layer_weights": "1, 1, 1, 1, 1", "faces": "3, 8, 21"}
"""Settings of several numbers, and what stands where none are given."""

LAYER_DEFAULTS = {"content_layers": CONTENT_LAYERS, "style_layers": STYLE_LAYERS}

Sections = Mapping[str, Sequence[str]]


def main_controls(task: str = "style_transfer", prefix: str = "") -> dict[str, Component]:
    """The three that are always in sight, by the name of their setting; to be called where they are laid out."""
    made: dict[str, Component] = {"strength": control("strength", task, prefix)}
    with gr.Row():
        made["preset"] = control("preset", task, prefix)
        made["size"] = control("size", task, prefix)
    return made


def more_controls(sections: Sections, task: str = "style_transfer", prefix: str = "") -> dict[str, Component]:
    """Those of each section beneath its title, by the name of their setting, two in a row."""
    made: dict[str, Component] = {}
    for title, names in sections.items():
        if title:
            gr.Markdown(f"### {title}")
        for i in range(0, len(names), 2):
            with gr.Row():
                made |= {name: control(name, task, prefix) for name in names[i : i + 2]}
        for name in PAPERS.keys() & set(names):
            gr.Markdown(PAPERS[name], elem_classes="papers")
    return made


def control(name: str, task: str = "style_transfer", prefix: str = "", *, segments: bool = False) -> Component:
    """The control of one setting; with `segments` all of its choices are in sight."""
    title, info = ABOUT[name]
    default = shown(name, TASKS[task][name], task)
    form: dict[str, Any] = {"label": title, "info": info, "elem_id": f"{prefix}-{name}" if prefix else name}
    if name == "strength":
        return gr.Slider(*LIMITS[name], default, step=1, **form)
    if name == "direction":
        ways = translate.model_of_each()
        titles = [(_title(way, model), way) for way, model in ways.items()]
        return gr.Radio(titles, value=default or next(iter(ways), None), **form)
    if name == "model" and task == "fast":
        first, *others = fast.any_style_models()
        titles = [(WORDS[first], AUTO), *((WORDS.get(other, other), other) for other in others)]
        form |= {"label": "Any other style", "info": "Which network paints in it.", "visible": bool(others)}
        return gr.Radio(titles, value=default, **form)
    if name == "model":
        return gr.Dropdown(
            [(_title(entry.name, entry.name), entry.name) for entry in list_models(task)], value=default, **form
        )
    if name == "preset" or segments:
        form |= {"elem_classes": "segments", "min_width": 220, "scale": 3}
        return gr.Radio(_choices(name, task), value=default, **form)
    if name == "size":
        own: list[Any] = [("The photo's", AUTO)] if TASKS[task][name] is None else []
        return gr.Dropdown(own + list(SIZES), value=default, allow_custom_value=True, min_width=120, scale=2, **form)
    if name == "seamless":
        return gr.Checkbox(default, **form)
    if name in LAYER_DEFAULTS:
        return gr.Dropdown(_layers(), value=default, multiselect=True, **form)
    if name == "layer":
        return gr.Dropdown(_layers(), value=default, **form)
    if name in LISTED:
        return gr.Textbox(default, placeholder=LISTED[name], max_lines=1, **form)
    if name == "style_loss":  # several may be joined
        return gr.Dropdown(_choices(name, task), value=default, multiselect=True, **form)
    if name in CHOICES:
        return gr.Dropdown(_choices(name, task), value=default, **form)
    if name in ("style_scale", "brush", "truncation", "likeness"):
        return gr.Slider(*LIMITS[name], default, step=0.05, **form)
    whole = name in WHOLE
    empty = "any" if name == "like" else "automatic"
    form |= {"placeholder": empty, "precision": 0 if whole else None, "step": 1 if whole else 0.01}
    return gr.Number(default, **form)


def read(values: Mapping[str, Any], task: str = "style_transfer") -> dict[str, Any]:
    """What the controls say, as keyword arguments of the task; those left to the preset are not in it.

    Raises:
        ValueError: a value that makes no sense, with a sentence that names it.
    """
    given = {name: value for name, value in values.items() if value not in (None, "", AUTO) and value != []}
    for name, default in LAYER_DEFAULTS.items():
        if list(given.get(name, [])) == list(default):
            del given[name]
    if isinstance(given.get("style_loss"), list):
        given["style_loss"] = "+".join(given["style_loss"])
    valid = valid_settings(given, task)
    for name in given.keys() - valid.keys():
        title = ABOUT[name][0] if name in ABOUT else name.capitalize()
        raise ValueError(f"{title}: {given[name]!r} makes no sense here.")
    layers, layer_weights = valid.get("style_layers", STYLE_LAYERS), valid.get("style_layer_weights")
    if layer_weights and len(layer_weights) != len(layers):
        raise ValueError(f"There are {len(layers)} style layers, but {len(layer_weights)} weights: give one a layer.")
    return valid


def shown(name: str, value: Any, task: str = "style_transfer") -> Any:
    """The value that the control of this setting shows for it; the inverse of `read`."""
    if name in LAYER_DEFAULTS:
        return list(value or LAYER_DEFAULTS[name])
    if name in LISTED:
        return ", ".join(f"{number:g}" for number in value or [])
    if name == "style_loss":
        return str(value or TASKS[task][name]).split("+")
    if name == "style_scale" and isinstance(value, list):
        return value[0]
    if name == "model" and task == "fast":
        return value if value in fast.any_style_models()[1:] else AUTO
    return AUTO if value is None and (name in CHOICES or name == "size") else value


def is_here(encoder: str) -> bool:
    """Whether the weights of this encoder lie on this machine."""
    entry = _entry(encoder)
    return entry is None or weights.find(entry) is not None


def _entry(encoder: str) -> weights.Weights | None:
    return next((model for model in list_models("encoder") if model.name == encoder), None)


def _choices(name: str, task: str) -> list[tuple[str, str]]:
    if name == "encoder":
        return [(_encoder_title(value), value) for value in CHOICES[name]]
    own = [("As the encoder's" if name == "pooling" else "As the preset", AUTO)] if TASKS[task][name] is None else []
    return own + [(WORDS.get(value, value.capitalize()), value) for value in CHOICES[name]]


def _encoder_title(name: str) -> str:
    entry = _entry(name)
    if entry is None or not entry.repo:
        return f"{name.capitalize()} (built in)"
    title = name.upper().replace("VGG", "VGG-")
    return title if weights.find(entry) else f"{title} ({entry.download / 1e6:.0f} MB download)"


def _title(word: str, model: str) -> str:
    """What a choice of networks is called; of one that is to be fetched, how large and under which terms."""
    parts = [find_model(name) for name in (model, translate.OTHER_WAY.get(model)) if name]
    title, away = WORDS.get(word, word), [entry for entry in parts if entry.repo and not weights.find(entry)]
    if not away:
        return title
    return f"{title} ({sum(entry.size for entry in away) / 1e6:.0f} MB download, license {away[0].license})"


def _layers() -> list[str]:
    return [f"relu{stage}_{i}" for stage, depth in enumerate(VGG_DEPTHS["vgg19"], 1) for i in range(1, depth + 1)]
