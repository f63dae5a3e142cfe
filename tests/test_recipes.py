"""Recipes and links: the way there and back, and nonsense from outside."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

import pytest
from tiny import tiny_encoder_file

from nst.recipes import DEFAULTS, from_query, make_recipe, settings_from_recipe, to_query

SETTINGS = {
    "size": 384, "strength": 62.5, "preset": "best", "num_steps": 77, "seed": 12345, "encoder": "vgg19",
    "style_layers": ["relu1_1", "relu3_1"], "style_layer_weights": [1.0, 2.5], "tv_weight": 0.0, "pooling": "max",
    "optimizer": "lbfgs", "init": "noise", "style_loss": "gram", "style_scale": 0.5,
}  # fmt: skip


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
        ("size", "99999999", 4096), ("size", "-5", 64), ("size", "big", 512), ("size", "1e999", 4096),
        ("strength", "nan", 50), ("strength", "", 50), ("strength", "200", 100), ("seed", "-1", 0),
        ("preset", "ultra", "good"), ("encoder", "../../etc/passwd", "compact"), ("encoder", "vgg16", "vgg16"),
        ("style_layers", "a b,<script>", None), ("style_layers", ",".join(["relu1_1"] * 99), None),
        ("style_layer_weights", "1,x", None), ("style_layer_weights", "0,0", None),
        ("style_layer_weights", "-1,2", None), ("init", "/tmp/x.png", "content"), ("device", "cuda", "cuda"),
    ],
)  # fmt: skip
def test_nonsense_in_a_link_is_dropped_or_clamped(name, value, expected):
    assert from_query({name: value, "evil": "1"})["settings"] == DEFAULTS | {name: expected}


@pytest.mark.parametrize(
    "recipe", [{}, {"settings": None}, {"settings": [1]}, {"settings": {"size": {}, "seed": [], "preset": 3, 5: 6}}]
)
def test_a_broken_recipe_gives_the_defaults(recipe):
    assert settings_from_recipe(recipe) == DEFAULTS
