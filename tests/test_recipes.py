"""Recipes and links: the way there and back, and nonsense from outside."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from tiny import tiny_encoder_file

from nst.tasks import TASKS
from nst.tasks.recipe import (
    from_query,
    make_recipe,
    names_of,
    settings_from_recipe,
    task_of,
    to_query,
)

DEFAULTS = TASKS["style_transfer"].defaults
SETTINGS = {
    "size": 384,
    "strength": 62.5,
    "preset": "best",
    "num_steps": 77,
    "seed": 12345,
    "encoder": "vgg19",
    "style_layers": ["relu1_1", "relu3_1"],
    "style_layer_weights": [1.0, 2.5],
    "tv_weight": 0.0,
    "pooling": "max",
    "optimizer": "lbfgs",
    "init": "noise",
    "style_loss": "gram",
    "style_scale": 0.5,
}


def test_a_recipe_survives_json():
    recipe = json.loads(json.dumps(make_recipe(SETTINGS, content="cat", style="Starry Night")))
    assert settings_from_recipe(recipe) == DEFAULTS | SETTINGS
    assert recipe["content"] == "cat" and recipe["style"] == "Starry Night"
    assert list(recipe["models"]) == ["vgg19"] and len(recipe["models"]["vgg19"]) == 64
    assert set(recipe["versions"]) == {"pastiche", "torch"}


def test_an_encoder_of_ones_own_is_noted_by_name_and_hash(tmp_path):
    recipe = make_recipe({"encoder": tiny_encoder_file(tmp_path)})
    assert recipe["settings"]["encoder"] == "tiny.safetensors" and str(tmp_path) not in json.dumps(recipe)
    assert len(recipe["models"]["tiny.safetensors"]) == 64
    assert settings_from_recipe(recipe)["encoder"] == "compact"


def test_a_link_survives_the_address_bar():
    query = to_query(SETTINGS, content="cat", style="Ukiyo-e & waves")
    read = from_query(dict(parse_qsl(query)))
    assert read == {"settings": DEFAULTS | SETTINGS, "content": "cat", "style": "Ukiyo-e & waves"}


def test_a_link_holds_only_what_differs():
    assert to_query(DEFAULTS) == ""
    assert to_query(DEFAULTS | {"seed": 3, "strength": 80.0}) == "strength=80&seed=3"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("size", "99999999", 16384),
        ("size", "-5", 64),
        ("size", "big", 512),
        ("size", "1e999", 16384),
        ("strength", "nan", 50),
        ("strength", "", 50),
        ("strength", "200", 100),
        ("seed", "-1", 0),
        ("preset", "ultra", "good"),
        ("encoder", "../../etc/passwd", "compact"),
        ("encoder", "vgg16", "vgg16"),
        ("style_layers", "a b,<script>", None),
        ("style_layers", ",".join(["relu1_1"] * 99), None),
        ("style_layer_weights", "1,x", None),
        ("style_layer_weights", "0,0", None),
        ("style_layer_weights", "-1,2", None),
        ("init", "/tmp/x.png", "content"),
        ("device", "cuda", "cuda"),
    ],
)
def test_nonsense_in_a_link_is_dropped_or_clamped(name, value, expected):
    assert from_query({name: value, "evil": "1"})["settings"] == DEFAULTS | {name: expected}


@pytest.mark.parametrize(
    "recipe", [{}, {"settings": None}, {"settings": [1]}, {"settings": {"size": {}, "seed": [], "preset": 3, 5: 6}}]
)
def test_a_broken_recipe_gives_the_defaults(recipe):
    assert settings_from_recipe(recipe) == DEFAULTS


OTHERS = {
    "texture": {"width": 640, "height": 320, "seamless": True, "style_loss": "gram+histogram", "kernel_degree": 3},
    "invert": {"layer": "relu3_1", "starts": 3, "norm_weight": 0.5, "tv_exponent": 1.0},
    "mix": {
        "pictures": 7,
        "style_weights": [1.0, 3.0],
        "style_scale": [1.0, 0.5],
        "mixing": "losses",
        "guide": "soft",
        "preserve_color": "pca",
        "color_when": "before",
        "content_encoder": "vgg16",
        "activation_shift": -0.5,
    },
    "colors": {"color_when": "before", "strength": 70, "style_loss": "gram"},
    "layers": {"size": 128, "pooling": "max", "seed": 4, "preset": "good"},
}


@pytest.mark.parametrize("task", OTHERS)
def test_every_task_has_recipes_and_links(task):
    settings = OTHERS[task]
    recipe = json.loads(json.dumps(make_recipe(settings, task=task, style=["a", "b c"], masks=["m.png"])))
    assert task_of(recipe) == task and names_of(recipe["style"]) == ["a", "b c"] and recipe["masks"] == ["m.png"]
    assert settings_from_recipe(recipe, task) == TASKS[task].defaults | settings
    query = dict(parse_qsl(to_query(settings, task=task, content="cat", style=["a", "b c"])))
    assert task_of(query) == task
    read = from_query(query, task)
    assert read["settings"] == TASKS[task].defaults | settings
    assert names_of(read["style"]) == ["a", "b c"] and names_of(read["content"]) == ["cat"]
    assert to_query(TASKS[task].defaults, task=task) == f"task={task}"


def test_the_recipe_of_another_task_gives_what_both_have():
    recipe = make_recipe(OTHERS["texture"] | {"tv_weight": 0.5}, task="texture")
    wanted = {"style_loss": "gram+histogram", "kernel_degree": 3, "tv_weight": 0.5, "init": "noise"}
    assert settings_from_recipe(recipe) == DEFAULTS | wanted


def test_a_second_encoder_is_noted_too(tmp_path):
    recipe = make_recipe({"content_encoder": tiny_encoder_file(tmp_path)})
    assert recipe["settings"]["content_encoder"] == "tiny.safetensors" and len(recipe["models"]) == 2


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("style_loss", "gram+magic", "wasserstein"),
        ("style_loss", "gram + histogram", "gram + histogram"),
        ("style_scale", "0.5,x", 1.0),
        ("style_scale", "9,0.5", [4.0, 0.5]),
        ("style_weights", "0,0", None),
        ("kernel_degree", "2.4", 2),
        ("guide", "outside", "inside"),
        ("preserve_color", "pca", "pca"),
        ("content_encoder", "/etc/passwd", None),
    ],
)
def test_nonsense_in_new_settings_is_dropped_too(name, value, expected):
    assert from_query({name: value})["settings"] == DEFAULTS | {name: expected}


@pytest.mark.parametrize("asked", [{}, {"task": "paint"}, {"task": ["mix"]}, {"task": None}])
def test_an_unknown_task_is_style_transfer(asked):
    assert task_of(asked) == "style_transfer"


def test_names_from_outside():
    assert names_of(None) == names_of(7) == names_of("") == [] and names_of(["a", 3, None]) == ["a"]
    assert len(names_of("|".join("x" * 100))) == 32 and len(names_of("y" * 999)[0]) == 200


BEFORE = json.loads((Path(__file__).parent / "made_before.json").read_text(encoding="utf-8"))
"""Recipes and links as the first version made them, before the settings had one table."""


@pytest.mark.parametrize("name", BEFORE)
def test_recipes_and_links_made_before_still_restore(name):
    recipe, link = BEFORE[name]["recipe"], dict(parse_qsl(BEFORE[name]["link"]))
    task = task_of(recipe)
    assert task == task_of(link) == {"survey": "layers"}.get(name, name)
    restored = settings_from_recipe(recipe, task)
    assert restored | recipe["settings"] == restored, "every setting that it had"
    asked = from_query(link, task)["settings"]
    assert {name: asked[name] for name in asked if name in link} == {n: restored[n] for n in asked if n in link}
    assert names_of(recipe["style"]) == names_of(link["style"]) and link["content"] == recipe["content"] == "chelsea"
