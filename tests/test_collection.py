"""Maps of pictures: what resembles what, what is kept, what is left out, and the page."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from disk import full_disk
from PIL import Image
from tiny import picture, tiny_encoder, tiny_encoder_file

from nst.__main__ import main
from nst.collection import (
    KINDS,
    Collection,
    analyze,
    content_embedding,
    map_page,
    read_collection,
    rows,
    style_embedding,
    write_table,
)
from nst.collection.analysis import inner_products, principal_components
from nst.collection.embedding_cache import recall, remember
from nst.collection.embeddings import LAYERS
from nst.images import ImageError, resize, save, to_pil
from nst.places import cache_dir


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two kinds of pictures, coarse and fine ones, and what else lies about in folders."""
    root = tmp_path / "pictures"
    (root / "fine").mkdir(parents=True)
    for i in range(3):
        save(root / f"coarse-{i}.png", to_pil(resize(picture(i, 12, 16), (60, 80))))
        fine = torch.rand(1, 3, 60, 80, generator=torch.Generator().manual_seed(i))
        save(root / "fine" / f"fine-{i}.jpg", to_pil(fine))
    (root / "broken.png").write_bytes(b"\x89PNG no more")
    (root / "notes.txt").write_text("no picture")
    (root / ".hidden.png").write_bytes(b"x")
    return root


@pytest.fixture
def encoder(tmp_path) -> str:
    return tiny_encoder_file(tmp_path)


def test_broken_files_are_named_and_left_out(folder, encoder):
    found = read_collection(folder, encoder=encoder)
    assert found.names == [*(f"coarse-{i}.png" for i in range(3)), *(f"fine/fine-{i}.jpg" for i in range(3))]
    assert list(found.broken) == ["broken.png"] and found.broken["broken.png"].endswith(".")
    assert len(found.style) == len(found.content) == len(found.thumbnails) == 6


def test_grain_is_a_style(folder, encoder):
    found = analyze(read_collection(folder, encoder=encoder).style, clusters=2)
    assert found.clusters[:3] == [found.clusters[0]] * 3 and len(set(found.clusters[3:])) == 1
    assert found.clusters[0] != found.clusters[5]
    assert all(int(n) // 3 == i // 3 for i in range(6) for n in found.nearest[i, :2])
    assert {i // 3 for i in found.medoids} == {0, 1}


def test_what_was_looked_at_is_kept(folder, encoder, monkeypatch):
    first = read_collection(folder, encoder=encoder)
    monkeypatch.setattr("nst.collection.library.open_small", lambda path: "It was looked at again.")
    again = read_collection(folder, encoder=encoder)
    assert torch.equal(first.style, again.style) and again.thumbnails == first.thumbnails
    assert again.broken == {"broken.png": "It was looked at again."}
    save(folder / "coarse-1.png", to_pil(picture(9, 50, 50)))
    changed = read_collection(folder, encoder=encoder)
    assert set(changed.broken) == {"broken.png", "coarse-1.png"}, "a file that has changed is looked at anew"


def test_thumbnails_of_other_programs_are_left_out(folder, encoder):
    for other in (".thumbnails", "@eaDir", "fine/@eaDir/fine-0.jpg"):
        (folder / other).mkdir(parents=True)
        save(folder / other / "SYNOPHOTO_THUMB_M.jpg", to_pil(picture(1, 40, 50)))
    found = read_collection(folder, encoder=encoder)
    assert len(found.names) == 6 and list(found.broken) == ["broken.png"]


def test_a_name_that_is_no_unicode_is_shown_as_far_as_it_is(folder, encoder, capsys):
    odd = os.path.join(os.fsencode(folder), b"caf\xe9.png")
    try:
        os.replace(folder / "coarse-0.png", odd)
    except OSError:
        pytest.skip("this disk has no such names")
    assert (
        main(["map", str(folder), "-o", str(folder / "map.html"), "--csv", str(folder / "m.csv"), "--encoder", encoder])
        == 0
    )
    assert "caf?.png" in (folder / "m.csv").read_text(encoding="utf-8")
    assert main(["map", str(folder), "--near", os.fsdecode(odd), "--encoder", encoder]) == 0
    assert "by" in capsys.readouterr().out


def spoil(place: Path, how: str) -> None:
    """Make a file of the cache one that cannot be used."""
    if how == "no archive":
        place.write_bytes(b"no archive at all" * 99)
    elif how == "damaged":
        data = bytearray(place.read_bytes())
        data[200:] = b"\xff" * (len(data) - 200)
        place.write_bytes(data)
    elif how == "cut short":
        place.write_bytes(place.read_bytes()[: place.stat().st_size // 2])
    elif how == "a folder":
        place.unlink()
        place.mkdir()
    elif how == "a changed byte":
        data = bytearray(place.read_bytes())
        data[len(data) // 2] ^= 1
        place.write_bytes(data)
    elif how == "other parts":
        np.savez(place, style=np.zeros(3))


@pytest.mark.parametrize("how", ["no archive", "damaged", "a changed byte", "cut short", "a folder", "other parts"])
def test_a_cache_that_is_spoilt_costs_time_and_nothing_else(folder, encoder, how, monkeypatch, tmp_path):
    monkeypatch.setenv("PASTICHE_CACHE", str(tmp_path / "cache"))
    first = read_collection(folder, encoder=encoder)
    kept = sorted((cache_dir() / "collections").glob("*.npz"))
    assert len(kept) == 6
    for place in kept:
        spoil(place, how)
    again = read_collection(folder, encoder=encoder)
    assert again.names == first.names and torch.equal(again.style, first.style)


def test_where_nothing_can_be_kept_nothing_is(folder, encoder, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("PASTICHE_CACHE", str(tmp_path / "file" / "cache"))  # no folder can be made there
    assert len(read_collection(folder, encoder=encoder).names) == 6
    first, large = tmp_path / "cache" / "first.npz", tmp_path / "cache" / "large.npz"
    remember(first, (b"a", b"b", b"c"))
    with full_disk(5000):
        remember(large, (b"x" * 100_000, b"y", b"z"))
    assert recall(first) == (b"a", b"b", b"c") and recall(large) is None
    assert list(first.parent.iterdir()) == [first], "and nothing is left of it"


def test_names_are_those_given(folder, encoder):
    files = [folder / "coarse-0.png", folder / "coarse-1.png"]
    told: list[tuple[int, int]] = []
    found = read_collection(files, names=["a", "b"], encoder=encoder, keep=False, progress=lambda *at: told.append(at))
    assert found.names == ["a", "b"] and told == [(1, 2), (2, 2)]


def test_identical_pictures_stand_in_one_place(tmp_path, encoder):
    for name in ("a", "b", "c"):
        save(tmp_path / f"{name}.png", to_pil(picture(1, 40, 50)))
    found = read_collection([tmp_path / f"{name}.png" for name in "abc"], encoder=encoder)
    placed = analyze(found.style)
    assert torch.equal(placed.places, torch.full((3, 2), 0.5)) and float(placed.distances.abs().max()) == 0
    assert not placed.outliers
    two = analyze(found.content[:2])
    assert two.nearest.tolist() == [[1], [0]]


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (40, 30)])
def test_any_shape_and_mode_is_looked_at(tmp_path, encoder, size):
    Image.new("L", size, 90).save(tmp_path / "grey.png")
    Image.new("RGBA", size, (90, 20, 30, 0)).save(tmp_path / "clear.png")
    found = read_collection([tmp_path / "grey.png", tmp_path / "clear.png"], encoder=encoder)
    assert found.style.isfinite().all() and found.content.isfinite().all()


def test_too_few_pictures_are_a_sentence(tmp_path, encoder):
    save(tmp_path / "one.png", to_pil(picture(1)))
    with pytest.raises(ImageError, match="two pictures at least, and there is one"):
        read_collection([tmp_path / "one.png"], encoder=encoder)
    with pytest.raises(ImageError, match="is no folder"):
        read_collection(tmp_path / "nowhere", encoder=encoder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="there is none"):
        read_collection(tmp_path / "empty", encoder=encoder)


def test_style_forgets_places_and_content_forgets_looks():
    image = picture(1, 64, 64)
    looks = {name: tiny_encoder()(x, LAYERS) for name, x in (("it", image), ("turned", image.flip(-1)))}
    style = {name: style_embedding(f) for name, f in looks.items()}
    content = {name: content_embedding(f) for name, f in looks.items()}
    other = tiny_encoder()(picture(7, 64, 64), LAYERS)
    assert (style["it"] - style["turned"]).norm() < (style["it"] - style_embedding(other)).norm()
    brighter = {k: 2 * v + 3 for k, v in looks["it"].items()}
    assert (content["it"] - content_embedding(brighter)).norm() < 0.05 < (content["it"] - content["turned"]).norm()


def test_principal_components_are_those_of_a_cloud():
    cloud = torch.randn(200, 5, generator=torch.Generator().manual_seed(0)) * torch.tensor([9.0, 3.0, 0.1, 0.1, 0.1])
    found = principal_components(inner_products(cloud))
    assert found.std(0).tolist() == pytest.approx(cloud[:, :2].std(0).tolist(), rel=0.05)
    assert torch.allclose(found, principal_components(inner_products(cloud + 7)), atol=1e-4)
    assert principal_components(inner_products(cloud[:2])).shape == (2, 2)


def test_one_that_resembles_none_is_told():
    cloud = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    cloud[11] += 40
    found = analyze(cloud)
    assert found.outliers[0] == 11 and len(found.outliers) < 4
    assert float(found.places.min()) >= 0 and float(found.places.max()) <= 1
    with pytest.raises(ValueError, match="1 to 30 clusters"):
        analyze(cloud, clusters=31)
    with pytest.raises(ValueError, match="pca or umap"):
        analyze(cloud, layout="tsne")


def test_umap_is_missed_kindly():
    try:
        import umap  # noqa: F401
    except ImportError:
        with pytest.raises(ValueError, match="pip install umap-learn"):
            analyze(torch.randn(9, 4), layout="umap")
    else:
        assert analyze(torch.randn(9, 4), layout="umap").places.shape == (9, 2)


def test_the_page_holds_all_and_no_name_breaks_out_of_it(folder, encoder):
    wild = "</script><script>alert(1)</script>.png"
    files = [folder / "coarse-0.png", folder / "coarse-1.png", folder / "broken.png"]
    found = read_collection(files, names=[wild, "b.png", "<i>bad</i>.png"], encoder=encoder)
    page = map_page(found, {kind: analyze(getattr(found, kind)) for kind in KINDS}, title="<b>")
    told = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page)[1])
    assert told["names"] == [wild, "b.png"] and set(told["kinds"]) == {"style", "content"}
    assert "<i>bad" not in page and "<title>&lt;b&gt;</title>" in page and "${" in page and "$$" not in page
    assert not re.findall(r"https?://", page), "nothing is fetched"


def test_no_cell_of_a_table_is_computed_by_a_spreadsheet(tmp_path):
    names = ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\tx", "plain.png"]
    looks = torch.eye(6, 8)
    found = Collection(names, looks, looks, [b""] * 6)
    table = write_table(tmp_path / "map.csv", found, {"style": analyze(looks)})
    with table.open(encoding="utf-8", newline="") as file:
        listed = list(csv.DictReader(file))
    assert [row["file"] for row in listed] == [f"'{name}" for name in names[:5]] + ["plain.png"]
    assert all(row["style_nearest"].startswith(("'", "plain")) for row in listed)


def test_the_command_writes_page_and_table(folder, encoder, tmp_path, capsys):
    out, table = tmp_path / "new" / "map.html", tmp_path / "map.csv"
    assert main(["map", str(folder), "-o", str(out), "--csv", str(table), "--encoder", encoder, "--no-cache"]) == 0
    told = capsys.readouterr()
    assert "6 pictures, 1 left out" in told.out and "broken.png: This picture" in told.err
    listed = list(csv.DictReader(table.open(encoding="utf-8")))
    assert [row["file"] for row in listed][:2] == ["coarse-0.png", "coarse-1.png"]
    assert listed[0]["style_nearest"].startswith("coarse") and out.stat().st_size > 10_000
    found = read_collection(folder, encoder=encoder)
    assert len(list(rows(found, {"style": analyze(found.style)}))) == 6


def test_the_command_tells_what_is_nearest(folder, encoder, capsys, monkeypatch):
    assert main(["map", str(folder), "--near", "fine-0.jpg", "--encoder", encoder]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["by", "nearest", "distance"] and lines[1].split()[1].startswith("fine/")
    monkeypatch.chdir(folder.parent)
    for asked in (
        str(folder / "fine" / "fine-0.jpg"),
        "pictures/fine/fine-0.jpg",
        "fine/fine-0.jpg",
    ):  # as in the README
        assert main(["map", "pictures", "--near", asked, "--encoder", encoder]) == 0
        assert capsys.readouterr().out.splitlines() == lines
    monkeypatch.setattr("nst.cli.map.read_collection", lambda *a, **k: pytest.fail("all were looked at first"))
    assert main(["map", str(folder), "--near", "x.jpg", "--encoder", encoder]) == 2
    assert "'x.jpg' is not among the 7 pictures" in capsys.readouterr().err
    assert main(["map", str(folder), "-o", "map.png", "--encoder", encoder]) == 2
    assert "must end in .html" in capsys.readouterr().err
