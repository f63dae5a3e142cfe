"""Networks that are fetched from the Hub when they are first chosen: told before, loaded strictly, and used."""

from __future__ import annotations

import io

import huggingface_hub
import pytest
import torch
from fake_hub import FakeHub, go_online
from test_face_models import genforce
from test_translate import foreign
from tiny import picture

from nst import faces, registry
from nst.registry import find_model, load_model
from nst.tasks import TASKS
from nst.translate import comes_back, load_translator, translate
from nst.ui import settings
from nst.weights import WeightsError, WeightsNotFound, hub


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A Hub on loopback that has nothing yet, and empty caches."""
    go_online(monkeypatch, tmp_path)
    monkeypatch.setattr(hub, "RETRY_WAITS", (0.01,))
    registry.forget_models()
    with FakeHub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server
    huggingface_hub.close_session()
    registry.forget_models()


def put(fake: FakeHub, name: str, tensors: object) -> None:
    """The file of a model of models.toml, with these tensors in it."""
    entry, data = find_model(name), io.BytesIO()
    torch.save(tensors, data)
    fake.add(entry.repo, entry.revision, entry.file, data.getvalue())


def test_horses_and_zebras_come_with_the_way_back(fake):
    put(fake, "horse2zebra_large", foreign("original"))
    put(fake, "zebra2horse", foreign("upsampled"))
    ways = {way: title for title, way in settings.control("direction", TASKS["translate"]).choices}
    assert ways["horse2zebra_large"] == "Horse → zebra, large (91 MB download, license not stated)"
    assert ways["horse2zebra"] == "Horse → zebra", "what is here tells neither"
    seen = []
    load_translator("horse2zebra_large", progress=lambda done, total: seen.append(done))
    assert seen
    asked = len(fake.requests)
    photo = picture(3, 64, 64)
    found = translate(photo, model="horse2zebra_large", size=64)
    assert found.cycle is not None and comes_back("horse2zebra_large") and not comes_back("horse2zebra")
    assert torch.equal(found.back, translate(found.image, model="zebra2horse", size=64).image)
    assert len(fake.requests) == asked, "translating fetches nothing"
    ways = {way: title for title, way in settings.control("direction", TASKS["translate"]).choices}
    assert ways["zebra2horse"] == "Zebra → horse, large"


def test_large_faces_are_sampled(fake):
    put(fake, "faces_1024", genforce()[0])
    titles = {name: title for title, name in settings.control("model", TASKS["faces"]).choices}
    assert titles == {"faces": "Ours, 128 pixels", "faces_1024": titles["faces_1024"]}
    assert "92 MB download, license apache-2.0" in titles["faces_1024"]
    assert faces.sample_faces(count=2, model="faces_1024").shape == (2, 3, 16, 16)
    assert len(list(faces.face_grid(count=1, model="faces_1024", size=32))) == 1


def test_what_is_not_to_be_had_or_is_something_else_is_told(fake, monkeypatch):
    with pytest.raises(WeightsNotFound, match="models pull horse2zebra_large"):
        load_translator("horse2zebra_large")
    put(fake, "horse2zebra_large", {"strange.weight": torch.zeros(2, 2)})
    with pytest.raises(WeightsError, match="no generator known"):
        load_translator("horse2zebra_large")
    put(fake, "faces_1024", {"code": print})
    with pytest.raises(WeightsError):
        load_model("faces_1024")
