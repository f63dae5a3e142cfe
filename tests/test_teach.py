"""Teaching a style: the run, the file, hostile files, names, and who sees whose styles."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest
import torch
from safetensors.torch import save
from tiny import photo_folder, picture
from visitor import Visitor

import app
from nst import taught
from nst.__main__ import main
from nst.fast import fast_stylize, make_painter, paint_thumbnail
from nst.images import decode, to_pil
from nst.images import save as save_picture
from nst.registry import find_model, load_model
from nst.server import inputs, limits, visits
from nst.taught import Taught
from nst.teach import Learner, teach
from nst.ui import fast as fast_tab
from nst.ui import teach as section
from nst.ui.app import launch_options
from nst.ui.task_tab import Workbench
from nst.weights import WeightsError

SHAPE = (3, 3200)


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("PASTICHE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Small crops of few small photos, of a small style: what is tested is not how well it learns."""
    for name, value in {"SIDE": 32, "CROPS": 2, "STYLE_SIZE": 48, "SHOWN": 48}.items():
        monkeypatch.setattr(f"nst.teach.{name}", value)
    monkeypatch.setattr("nst.styles.load_content", lambda name: to_pil(picture(len(name), 64, 64)))
    monkeypatch.setattr("nst.styles.load_style", lambda name, size: to_pil(picture(len(name), 64, 64)))


def style(name: str = "mine", **more) -> Taught:
    return Taught(name, 0.2 * torch.randn(SHAPE, generator=torch.Generator().manual_seed(0)), "ab" * 32, 7, **more)


def test_each_step_paints_the_photo_and_what_was_learned_stays_when_it_is_left(tmp_path):
    photo, run = picture(1, 40, 60), teach(picture(0, 64, 64), picture(1, 40, 60), name="mine", num_steps=5)
    steps = [next(run), next(run)]
    assert [(step.index, step.total, step.work) for step in steps] == [(1, 5, 0.2), (2, 5, 0.4)]
    assert steps[0].image.shape == (1, 3, 32, 48) and 0 <= float(steps[0].image.min()) <= 1
    assert {"content", "style", "color"} <= steps[1].losses.keys() and steps[1].loss > 0
    assert not torch.is_grad_enabled() or torch.ones(1, requires_grad=True).mul(2).requires_grad
    run.close()
    found = taught.find("mine")
    assert found.steps == 2 and len(found.source) == 64 and taught.place("mine").stat().st_size < 20_000
    painted = fast_stylize(photo, [found], keep_faces=0)
    assert painted.shape == photo.shape
    assert float((fast_stylize(photo, ["mosaic"], keep_faces=0) - painted).abs().mean()) > 0.01


def test_learning_lowers_what_it_lowers_and_touches_nothing_else():
    before = {name: tensor.clone() for name, tensor in load_model("cin").state_dict().items()}
    from nst.device import choose_device
    from nst.teach.crops import Stock

    device = choose_device("cpu")
    photos = Stock([to_pil(picture(seed, 96, 96)) for seed in range(3)], 96, device)
    learner = Learner(picture(7, 64, 64), photos, device, 0.02, seed=0)
    learner.begin()
    batch = learner.draw()

    def loss() -> float:
        with torch.no_grad():
            return float(sum(learner.terms(1, batch).values()))

    first = loss()
    for index in range(12):
        learner.step(index / 12)
    assert loss() < 0.9 * first
    assert all(torch.equal(tensor, before[name]) for name, tensor in load_model("cin").state_dict().items())


def test_the_same_seed_learns_the_same_and_the_same_picture_and_name_go_on():
    for _ in range(2):
        tables = []
        for folder in ("one", "two"):
            where = taught.folder() / folder
            list(teach(picture(0, 64, 64), picture(1), name="mine", num_steps=1, keep=where))
            tables.append(taught.find("mine", where).table)
        assert torch.equal(*tables)
    assert taught.find("mine", taught.folder() / "one").steps == 2, "it was gone on with"
    with pytest.raises(ValueError, match='There is a style "mine" already'):
        next(teach(picture(9, 64, 64), picture(1), name="mine", keep=taught.folder() / "one"))


def test_everything_may_learn_and_is_then_a_network_of_its_own():
    before = {name: tensor.clone() for name, tensor in load_model("cin").state_dict().items()}
    list(teach(picture(0, 64, 64), picture(1), name="mine", num_steps=2, all=True))
    assert all(torch.equal(tensor, before[name]) for name, tensor in load_model("cin").state_dict().items())
    path = taught.network_place("mine")
    alone = load_model(path)
    assert alone.styles == ("mine",) and taught.names() == [] and path.stat().st_size < 4_000_000
    assert not torch.equal(alone.net.last.weight, before["net.last.weight"])
    assert fast_stylize(picture(1), ["mine"], model=str(path), keep_faces=0).shape == picture(1).shape


def test_photos_of_one_s_own_are_learned_on(tmp_path):
    folder = photo_folder(tmp_path / "photos")
    assert next(teach(picture(0, 64, 64), picture(1), data=str(folder), num_steps=1)).index == 1


def test_a_file_gives_back_what_it_was_given():
    path = taught.keep(style())
    found = taught.load(path)
    assert torch.equal(found.table, style().table.half().float())
    assert (found.name, found.source, found.steps) == ("mine", "ab" * 32, 7)
    assert taught.load(path.read_bytes()).name == "mine" and taught.names() == ["mine"]
    assert taught.find("mine") is taught.find("mine"), "it is read once"
    taught.keep(style("mine"))
    assert taught.find("other") is None and taught.find("../x") is None


def file_of(tensors=None, **said) -> bytes:
    """What a file holds; `said` changes what it says of itself."""
    whole = {"format": taught.FORMAT, "name": "mine", "network": find_model("cin").identity, "source": "", "steps": "1"}
    kept = {key: value for key, value in (whole | said).items() if value is not None}
    return save(tensors or {"table": torch.zeros(SHAPE).half()}, metadata=kept)


def test_a_whole_file_is_taken():
    assert taught.load(file_of()).table.shape == SHAPE


HOSTILE = {
    "nothing": b"",
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "a pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94\x8c\x06system\x94\x93\x94.",
    "a header longer than the file": (2**62).to_bytes(8, "little") + b"{}",
    "deep JSON": (50_000).to_bytes(8, "little") + b"[" * 50_000,
    "cut short": file_of()[:-100],
    "too long": file_of() + bytes(60_000),
    "another format": file_of(format="pastiche style 2"),
    "no format": file_of(format=None),
    "another network": file_of(network="0" * 64),
    "another tensor": file_of({"weight": torch.zeros(SHAPE).half()}),
    "a tensor more": file_of({"table": torch.zeros(SHAPE).half(), "more": torch.zeros(1)}),
    "another shape": file_of({"table": torch.zeros(3, 3199).half()}),
    "turned": file_of({"table": torch.zeros(SHAPE[::-1]).half()}),
    "another type": file_of({"table": torch.zeros(SHAPE).bfloat16()}),
    "no number": file_of({"table": torch.full(SHAPE, float("nan")).half()}),
    "infinity": file_of({"table": torch.full(SHAPE, float("inf")).half()}),
    "huge": file_of({"table": torch.full(SHAPE, 6e4).half()}),
    "a path as name": file_of(name="../../x"),
    "markup as name": file_of(name="<script>"),
    "a long name": file_of(name="a" * 21),
    "no name": file_of(name=""),
    "capitals": file_of(name="Mine"),
    "a strange source": file_of(source="<b>"),
    "strange steps": file_of(steps="١٢"),
    "many steps": file_of(steps="9" * 4000),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused_in_one_sentence(what):
    with pytest.raises(WeightsError) as told:
        taught.load(HOSTILE[what])
    sentence = str(told.value)
    assert sentence.startswith("This ") and sentence.endswith(".") and len(sentence) < 120 and "\n" not in sentence


@pytest.mark.parametrize("text", ["", " ", "../x", "a/b", "<b>", "1889", "a" * 21, "x|y", "con.txt", "\0", "a\nb c,"])
def test_a_name_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="A style is called by a word"):
        taught.place(text)


@pytest.mark.parametrize("text", ["mosaic", "Starry Night", "candy", "night", "own"])
def test_a_name_that_is_taken_is_refused(text):
    with pytest.raises(ValueError, match="There is a style"):
        taught.free_name(text)


def test_names_are_words_in_any_script():
    assert taught.checked_name(" Mein Bild-2 ") == "mein_bild_2" and taught.checked_name("写真") == "写真"


def test_a_damaged_style_is_taken_for_none_and_its_name_is_free():
    taught.folder().mkdir(parents=True)
    taught.place("mine").write_bytes(b"nonsense")
    with pytest.raises(WeightsError):
        taught.find("mine")
    assert taught.free_name("mine") == "mine" and taught.names() == ["mine"]
    list(teach(picture(0, 64, 64), picture(1), name="mine", num_steps=1))
    assert taught.find("mine").steps == 1


def test_a_folder_holds_so_many_styles(monkeypatch):
    monkeypatch.setattr(taught, "MOST_STYLES", 2)
    taught.keep(style("one"))
    taught.keep(style("two"))
    taught.keep(style("two"))
    with pytest.raises(ValueError, match="2 taught styles already"):
        taught.keep(style("three"))


def test_a_taught_style_blends_with_learned_ones_and_with_pictures_it_does_not():
    network = load_model("cin")
    same = Taught("mine", network.table[:, network.styles.index("mosaic")].clone())
    photo = picture(1, 48, 64)
    one = fast_stylize(photo, [same, "ink"], [0.5, 0.5], keep_faces=0, brush=1.3, strength=70)
    other = fast_stylize(photo, ["mosaic", "ink"], [0.5, 0.5], keep_faces=0, brush=1.3, strength=70)
    assert torch.allclose(one, other, atol=1e-5)
    with pytest.raises(ValueError, match='"mine" was taught'):
        make_painter([same, picture(2)])
    assert decode(paint_thumbnail(same)).rgb.size == (192, 192)


def test_the_command_teaches_and_the_command_fast_knows_it(tmp_path, capsys):
    painting, photo, out = tmp_path / "My Picture.png", tmp_path / "photo.png", tmp_path / "shown.png"
    save_picture(painting, to_pil(picture(0, 64, 64)))
    save_picture(photo, to_pil(picture(1, 40, 60)))
    assert main(["teach", str(painting), "--photo", str(photo), "--steps", "1", "-o", str(out)]) == 0
    assert capsys.readouterr().out.split("\n")[:2] == [str(out), str(taught.place("my_picture"))]
    assert decode(out).rgb.size == (48, 32)
    assert main(["teach", str(painting), "--name", "mine", "--photo", str(photo), "--steps", "1"]) == 0
    assert capsys.readouterr().out.strip() == str(taught.place("mine"))
    assert main(["fast", str(photo), "--style", "mine:2", "--style", "ink:1", "-o", str(tmp_path / "p.png")]) == 0
    assert decode(tmp_path / "p.png").rgb.size == (60, 40)


# In the app


@pytest.fixture
def visitor(monkeypatch):
    """Makes what follows come from the page of this session."""

    def come(session: str) -> None:
        monkeypatch.setattr(inputs, "session", lambda: session)
        request = SimpleNamespace(client=SimpleNamespace(host="1.2.3.4"), headers={})
        visits.enter(f"{session}-{'x' * 30}", request)

    return come


def test_two_visitors_never_see_each_other_s_styles(visitor, monkeypatch):
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    taught.keep(style("of_the_host"))
    visitor("one")
    assert section.names() == []
    taught.keep(style("mine"), visits.here().shelf())
    assert section.names() == ["mine"] and section.find("mine").steps == 7
    visitor("two")
    assert section.names() == [] and section.find("mine") is None and section.find("of_the_host") is None
    visitor("one")
    assert section.names() == ["mine"]
    monkeypatch.setattr(inputs, "session", lambda: "nobody")
    assert section.names() == [] and not visits.here().shelf().exists()


def test_at_home_all_pages_share_one_shelf(visitor):
    taught.keep(style("mine"))
    for session in ("one", "two"):
        visitor(session)
        assert section.names() == ["mine"]


@pytest.fixture
def box():
    with gr.Blocks():
        return section.Teaching("fast-teach", limits.limited(short, "teach"))


def short(*pictures, **settings):
    return teach(*pictures, **settings, num_steps=3)


@pytest.fixture
def pictures_of(tmp_path) -> tuple[str, str]:
    paths = tmp_path / "served" / "a" / "photo.png", tmp_path / "served" / "a" / "style.png"
    paths[0].parent.mkdir(parents=True)
    for seed, path in enumerate(paths):
        save_picture(path, to_pil(picture(seed, 64, 64)))
    return str(paths[0]), str(paths[1])


def picked(names):
    return {"picked": names}


def test_a_press_learns_and_chooses_what_was_learned(box, pictures_of):
    photo, painting_file = pictures_of
    painting = box.begin(photo, painting_file, None, "My Style")[box.painting]
    *shown, last = list(box.learn(painting, picked))
    assert any(box.preview in view for view in shown)
    assert last["picked"] == ["my_style"] and "Learned my_style" in last[box.status]
    assert last[box.start]["visible"] and not last[box.stop]["visible"]
    assert taught.find("my_style").steps == 3
    save_button, remove = box.chosen(["my_style"]).values()
    assert taught.load(Path(save_button["value"])).name == "my_style" and remove["interactive"]
    assert not box.chosen(["mosaic"])[box.save]["interactive"]
    assert not box.chosen(["my_style", "ink"])[box.remove]["interactive"]
    assert section._removed(["my_style"]) == ["starry_night"] and section.names() == []


def test_stop_keeps_what_was_learned_so_far(pictures_of):
    with gr.Blocks():
        box = section.Teaching("fast-teach", limits.limited(teach, "teach"))  # as long as ever: it is stopped in time
    painting = box.begin(*pictures_of, None, "mine")[box.painting]
    run = box.learn(painting, picked)
    for view in run:
        if box.preview in view:
            Workbench.halt(painting)
    assert view["picked"] == ["mine"] and 1 <= taught.find("mine").steps < 240


def test_what_is_missing_or_taken_is_told(box, pictures_of):
    with pytest.raises(gr.Error, match="Choose what it learns from"):
        box.begin(pictures_of[0], None, None, "mine")
    with pytest.raises(gr.Error, match="A style is called by a word"):
        box.begin(*pictures_of, None, "")
    painting = box.begin(*pictures_of, None, "mosaic")[box.painting]
    with pytest.raises(gr.Error, match='There is a style "mosaic" already'):
        list(box.learn(painting, picked))


def test_a_file_that_is_loaded_joins_the_styles_unless_its_name_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(inputs, "open_file", lambda path: BytesIO(Path(path).read_bytes()))
    path = tmp_path / "sent.safetensors"
    path.write_bytes(file_of(name="theirs"))
    assert section._loaded(str(path)) == "theirs" and section.names() == ["theirs"]
    with pytest.raises(ValueError, match='There is a style "theirs" already'):
        section._loaded(str(path))
    path.write_bytes(file_of(name="mosaic"))
    with pytest.raises(ValueError, match='There is a style "mosaic" already'):
        section._loaded(str(path))
    assert set(section.thumbnails()) == {"theirs"}


def test_a_visitor_s_run_is_bounded_as_any(monkeypatch):
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    with pytest.raises(ValueError, match="at most 1000 steps"):
        limits.check({"num_steps": 2000, "name": "mine"}, "teach")
    monkeypatch.setattr(limits, "free_memory", lambda device: 500_000_000)
    with pytest.raises(ValueError, match="GB of memory"):
        limits.check({"name": "mine"}, "teach", [(64, 64)])


@pytest.fixture
def hosted(tmp_path, monkeypatch) -> Iterator[str]:
    """The tab Fast styles, served to strangers."""
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    monkeypatch.setenv("PASTICHE_RESULTS", str(tmp_path / "results"))
    page = app.build_app([("Fast styles", fast_tab.create_tab)])
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    yield url
    page.close()


def open_page(url: str) -> Visitor:
    """A page that tells the word of its visit, as browsers do."""
    page = Visitor(url)
    word = json.dumps({"visit": secrets.token_hex(16)})
    assert all(page.call(number, [None, word]) for number in page.first_looks() + page.loads() if takes(page, number))
    return page


def takes(page: Visitor, number: int) -> bool:
    return len(page.config["dependencies"][number]["inputs"]) == 2


def test_a_style_that_a_stranger_loads_stands_on_no_other_page(hosted, tmp_path):
    sent = tmp_path / "sent.safetensors"
    sent.write_bytes(file_of(name="theirs"))
    one, two = open_page(hosted), open_page(hosted)
    one.set("fast-teach-load", one.upload(sent))
    assert one.click("fast-teach-load", "upload"), one.toasts
    assert 'data-name="theirs"' in one.show("fast-styles")
    for page in (one, two):  # whatever shows the styles anew
        assert page.call(page.events("fast-blending", "input")[0])
    assert 'data-name="theirs"' in one.show("fast-styles") and 'data-name="theirs"' not in two.show("fast-styles")
    assert two.call(two.events("fast-teach-remove")[0]) and one.call(one.events("fast-blending", "input")[0])
    assert 'data-name="theirs"' in one.show("fast-styles")
    sent.write_bytes(b"nonsense")
    one.set("fast-teach-load", one.upload(sent))
    assert not one.click("fast-teach-load", "upload") and "This is no style" in str(one.toasts[-1])
