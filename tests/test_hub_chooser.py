"""The tab Fast styles takes any repository of the Hub: told before it is fetched, kept by links and recipes, refused
where it is of no use or strangers come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import gradio as gr
import pytest
import torch
from clips import make_clip
from fake_run import laid_out, quick_examples
from test_browser import PATIENCE, browser, expect, serving_page, too_wide  # noqa: F401  (fixtures)
from test_browser_axe import findings
from test_fast import files  # noqa: F401  (a fixture)
from test_fast_tab import asked
from test_hub_repositories import elsewhere, fake  # noqa: F401  (a fixture)
from tiny import picture

from nst import fast, taught
from nst.__main__ import main
from nst.images import decode, read_recipe, save, to_pil, to_tensor
from nst.registry import find_model, load_model
from nst.server import inputs, limits, visits
from nst.tasks import TASKS
from nst.taught import Taught
from nst.ui import endpoints, hubrow, pictures, stylerow, video
from nst.ui.fast import OWN, FastTab, create_tab
from nst.ui.painting import Painting
from nst.ui.pictures import Choice
from nst.video import read_recipe as clip_recipe
from nst.weights import WeightsError, repository

CARD = b"---\nlicense: mit\narchitecture: %s\n---\n"
SEVERAL, ONE, LOOKS, STYLE = "someone/colors", "someone/one", "someone/looks", "someone/marble"


@pytest.fixture
def hub(fake, files, tmp_path, monkeypatch):  # noqa: F811
    """A Hub with a network of three styles, one of one, and one that paints in any picture."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    monkeypatch.setattr(inputs, "session", lambda: "page")
    quick_examples(monkeypatch)
    visits.enter(f"page-{'x' * 30}", SimpleNamespace(client=SimpleNamespace(host="1.2.3.4"), headers={}))
    visits.here().offers.clear()
    visits.here().chosen.clear()
    for repo, kind in ((SEVERAL, "cin"), (ONE, "johnson"), (LOOKS, "predictor")):
        put(fake, repo, Path(files[kind]), kind)
    return fake


def put(fake: Any, repo: str, path: Path, kind: str) -> str:  # noqa: F811
    from nst.weights import metadata

    config = json.loads(metadata(path)["config"])
    config |= {"encoder": "compact"} if "encoder" in config else {}
    held = {"model.safetensors": path.read_bytes(), "config.json": json.dumps(config).encode()}
    return fake.commit(repo, held | {"README.md": CARD % kind.encode()})


@pytest.fixture(scope="module")
def shared() -> FastTab:
    return laid_out(lambda: create_tab(fast.fast_run))


@pytest.fixture
def tab(hub, shared) -> FastTab:
    return shared


@pytest.fixture
def photo(tmp_path) -> str:
    return str(save(tmp_path / "photo.png", to_pil(picture(1, 32, 48))))


def typed(tab: FastTab, text: str, chosen: list[str] | None = None) -> str:
    """The gallery after this was typed and looked up."""
    return tab.look_up(SimpleNamespace(name=text), chosen or [])[tab.gallery]  # type: ignore[arg-type]


def clicked(tab: FastTab, name: str, chosen: list[str], blending: bool = False) -> list[str]:
    return tab.pick(SimpleNamespace(name=name), chosen, blending)[tab.chosen]  # type: ignore[arg-type]


def painted(tab: FastTab, photo: str, chosen: list[str], **more: Any) -> Any:
    painting = tab.begin(None, asked(tab, photo, chosen, **more))[tab.painting]
    list(tab.paint(painting))
    return painting


def commit_of(hub: Any, repo: str) -> str:
    return hub.files[f"/{repo}/resolve/main/model.safetensors"][1]


# ---- told


def test_size_license_and_card_are_told_before_anything_is_fetched(tab, hub):
    shown = typed(tab, f" {SEVERAL} ")
    size = len(hub.files[f"/{SEVERAL}/resolve/main/model.safetensors"][0])
    assert f"cin, {size / 1e3:.0f} kB, license mit" in shown and f'href="{hub.endpoint}/{SEVERAL}"' in shown
    names = [f"{SEVERAL}@{commit_of(hub, SEVERAL)} {style}" for style in ("red", "green", "blue")]
    assert all(f'data-name="{name}"' in shown for name in names) and "Green" in shown
    assert not any("model.safetensors" in one.path for one in hub.requests)
    assert len([one for one in hub.requests if one.path.startswith("/api/models")]) == 1


def test_an_address_of_the_hub_and_a_revision_can_be_typed_too(tab, hub):
    first = commit_of(hub, ONE)
    hub.commit(ONE, {"README.md": b"newer"})
    assert f'data-name="{ONE}@{first}"' in typed(tab, f"{ONE}@{first}")
    assert f'data-name="{ONE}@{commit_of(hub, ONE)}"' in typed(tab, f"https://huggingface.co/{ONE}/")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "OWNER/NAME"),
        ("mosaic", "OWNER/NAME"),
        ("/etc/passwd", "OWNER/NAME"),
        ("../../x", "OWNER/NAME"),
        ("someone/nothing", "shows no repository"),
        (f"{ONE}@gone", "no revision"),
        ("evil/faces", "no network that paints photos"),
        ("evil/words", "no weights that can be read"),
    ],
)
def test_what_is_of_no_use_is_refused_in_one_sentence(tab, hub, files, text, says):  # noqa: F811
    put(hub, "evil/faces", Path(files["cin"]), "progan")
    hub.commit("evil/words", {"README.md": b"words"})
    with pytest.raises(gr.Error, match=says) as caught:
        typed(tab, text)
    assert "\n" not in caught.value.message and not visits.here().offers


def test_offline_it_is_said_and_what_is_here_is_used(tab, hub, photo, monkeypatch):
    name = f"{ONE}@{commit_of(hub, ONE)}"
    typed(tab, ONE)
    painted(tab, photo, [name])
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(gr.Error, match="HF_HUB_OFFLINE"):
        typed(tab, SEVERAL)
    assert "here" in typed(tab, ONE) and painted(tab, photo, [name]).result


def test_a_configuration_without_end_is_not_fetched(tab, hub):
    hub.commit("evil/long", {"model.safetensors": b"x", "config.json": b" " * (repository.MOST_CONFIG + 1)})
    assert "evil/long" in typed(tab, "evil/long") and not any("config" in one.path for one in hub.requests)
    with pytest.raises(WeightsError, match="not one that a model"):
        repository.check_config(repository.look("evil/long"))


def test_words_of_a_repository_do_nothing_on_the_page(tab, hub):
    hub.said = {"cardData": {"license": "<script>alert(1)</script>", "architecture": "cin"}}
    shown = typed(tab, SEVERAL)
    assert "<script" not in shown and "&lt;script" in shown
    hub.said = {}
    hub.commit(SEVERAL, {"config.json": json.dumps({"styles": ["<b>", "x|y"]}).encode()})
    assert "<b>&" not in (shown := typed(tab, SEVERAL)) and "Use it" in shown, "no names, so as a whole"


# ---- chosen and painted


def test_one_style_of_several_is_painted_and_comes_back(tab, hub, photo):
    typed(tab, SEVERAL)
    repo = f"{SEVERAL}@{commit_of(hub, SEVERAL)}"
    chosen = clicked(tab, f"{repo} green", ["ink"], blending=True)
    assert chosen == [f"{repo} green"], "it blends with no style of another network"
    painting = painted(tab, photo, chosen)
    recipe = read_recipe(painting.result)
    assert recipe["settings"]["model"] == repo and recipe["style"] == ["green"] and repo in recipe["models"]
    expected = fast.fast_stylize(to_tensor(decode(photo)), ["green"], model=repo)
    assert (to_tensor(decode(painting.result)) - expected).abs().max() < 0.01
    assert tab.open_picture(painting.result)[tab.chosen] == chosen


def test_styles_of_one_repository_blend(tab, hub, photo):
    repo = f"{SEVERAL}@{commit_of(hub, SEVERAL)}"
    chosen = clicked(tab, f"{repo} blue", [f"{repo} red"], blending=True)
    assert chosen == [f"{repo} red", f"{repo} blue"]
    assert clicked(tab, "ink", chosen, blending=True) == ["ink"]
    painting = tab.begin(None, asked(tab, photo, chosen, (0.25, 0.5)))[tab.painting]
    assert painting.order.settings["weights"] == [0.75, 0.25] and painting.order.names["style"] == ["red", "blue"]
    list(tab.paint(painting))
    back = tab.open_picture(painting.result)
    assert back[tab.chosen] == chosen and back[tab.corner] == pytest.approx((0.25, 0.5)) and back[tab.blending]


def test_a_network_of_one_style_is_one_and_alone(tab, hub, photo):
    typed(tab, ONE)
    name = f"{ONE}@{commit_of(hub, ONE)}"
    assert clicked(tab, name, ["ink", OWN], blending=True) == [name]
    assert clicked(tab, "ink", [name], blending=True) == ["ink"]
    assert tab.pick_own([name], True)[tab.chosen] == [OWN]
    said = next(tab.live.paint(None, [name], stylerow.MIDDLE, None, 100))[1]
    assert said == f"<p>Paint a picture in {ONE} first: then its network is here.</p>"
    painting = painted(tab, photo, [name])
    assert read_recipe(painting.result)["style"] == [name] and tab.open_picture(painting.result)[tab.chosen] == [name]
    assert "here" in hubrow.html([], [name]).split(ONE)[-1] or "here" in hubrow.html([], [name])


def test_one_that_paints_in_any_picture_asks_for_one(tab, hub, photo):
    name = f"{LOOKS}@{commit_of(hub, LOOKS)}"
    with pytest.raises(gr.Error, match="drop one as any other style first"):
        tab.begin(None, asked(tab, photo, [name]))
    assert tab.pick_own([name], False)[tab.chosen] == [name], "that is what it paints in"
    painting = tab.begin(None, asked(tab, photo, [name], own=photo))[tab.painting]
    assert painting.order.settings["model"] == name and painting.order.names["style"] == ["a picture"]
    assert isinstance(painting.order.extras["style"][0], Path)


def test_a_link_keeps_repository_and_commit(tab, hub, photo):
    repo = f"{SEVERAL}@{commit_of(hub, SEVERAL)}"
    query = tab.make_query(asked(tab, photo, [f"{repo} green"]))
    hub.commit(SEVERAL, {"README.md": b"a newer state"})
    repository._known.clear()
    read = dict(parse_qsl(query))
    assert read["model"] == repo and read["style"] == "green"
    page = tab.open_page(False, None, SimpleNamespace(query_params=read))  # type: ignore[arg-type]
    assert page[tab.chosen] == [f"{repo} green"] and page.get(tab.status) is None
    assert 'aria-pressed="true"' in page[tab.gallery].partition("from-the-hub")[2]
    assert not any("model.safetensors" in one.path for one in hub.requests), "a link alone has nothing fetched"


def test_a_link_to_what_is_gone_says_so(tab, hub):
    asked_for = {"task": "fast", "style": "green", "model": "someone/gone"}
    page = tab.open_page(False, None, SimpleNamespace(query_params=asked_for))  # type: ignore[arg-type]
    assert page[tab.chosen] == [tab.names()[0]] and "shows no repository" in page[tab.status]


def test_what_was_used_before_is_listed(tab, hub, photo, capsys):
    assert SEVERAL not in hubrow.html([], [])
    assert main(["models", "pull", SEVERAL]) == 0
    repository._known.clear()
    hub.requests.clear()
    shown = hubrow.html([], [])
    assert f'data-name="{SEVERAL}@{commit_of(hub, SEVERAL)} red"' in shown and "cin, here" in shown
    assert not hub.requests


def test_the_hubs_cache_is_looked_through_once_and_not_at_each_redraw(tab, hub, monkeypatch, capsys):
    assert main(["models", "pull", SEVERAL]) == 0
    shown = hubrow.html([], [])
    with monkeypatch.context() as watched:
        watched.setattr(repository, "look", lambda *_, **__: pytest.fail("looked through again"))
        assert hubrow.html([], []) == shown and SEVERAL in shown
    assert main(["models", "pull", ONE]) == 0
    assert ONE in hubrow.html([], [])


# ---- strangers


def test_strangers_choose_from_the_list(tab, hub, photo, monkeypatch):
    painting = painted(tab, photo, [name := f"{ONE}@{commit_of(hub, ONE)}"])
    monkeypatch.setenv("PASTICHE_LIMITS", "strict")
    count = len(hub.requests)
    shown = tab.picked(["ink"])[tab.gallery]
    assert "<form" not in shown and ONE not in shown and "candy" in shown
    for press in (lambda: typed(tab, ONE), lambda: clicked(tab, name, []), lambda: painted(tab, photo, [name])):
        with pytest.raises(gr.Error, match="chosen from the list"):
            press()
    assert tab.open_picture(painting.result)[tab.chosen] == [tab.names()[0]]
    query = {"task": "fast", "style": name, "model": name}
    page = tab.open_page(False, None, SimpleNamespace(query_params=query))  # type: ignore[arg-type]
    assert "chosen from the list" in page[tab.status]
    run = limits.limited(fast.fast_run, "fast")
    for forged in ({"style": [name]}, {"style": [], "model": name}):
        with pytest.raises(ValueError, match="chosen from the list"):
            next(run(picture(1, 16, 16), **forged))
    assert isinstance(endpoints.paint_fast("chelsea", name).extras["style"][0], Path), "looked for among the examples"
    assert len(hub.requests) == count, "nothing is asked for on behalf of a stranger"


# ---- styles that were taught


@pytest.fixture
def mine(hub) -> Taught:
    """A style that this machine was taught."""
    network: Any = load_model("cin")
    table = network.table.view(len(network.brushes), len(network.styles), -1)[:, 3].half().float() * 1.01
    made = Taught("mine", table.half().float(), steps=7)
    taught.keep(made)
    return made


@pytest.mark.parametrize("how", ["mine", "{file}"])
def test_a_taught_style_is_published_with_a_card(mine, hub, capsys, how):
    what = how.format(file=taught.place("mine"))
    assert main(["models", "push", what, STYLE, "--dry-run"]) == 2 and "--license" in capsys.readouterr().err
    assert main(["models", "push", what, STYLE, "--license", "cc0-1.0"]) == 0
    card = hub.files[f"/{STYLE}/resolve/main/README.md"][0].decode()
    assert "license: cc0-1.0" in card and f"--style {STYLE}" in card and "model_hub_mixin" not in card
    assert set(hub.names(STYLE, "main")) == {"model.safetensors", "config.json", "README.md", "example.png"}
    assert hub.files[f"/{STYLE}/resolve/main/model.safetensors"][0] == taught.place("mine").read_bytes()


@pytest.fixture
def published(mine, hub, tmp_path, monkeypatch, capsys) -> str:
    """That style on the Hub, of which this machine knows nothing; gives its name."""
    assert main(["models", "push", "mine", STYLE, "--license", "cc0-1.0"]) == 0
    capsys.readouterr()
    elsewhere(tmp_path, monkeypatch)
    return f"{STYLE}@{commit_of(hub, STYLE)}"


def test_a_published_style_is_used_elsewhere_by_its_name(published, mine, photo, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    image = to_tensor(decode(photo))
    expected = fast.fast_stylize(image, [replace(mine, name="other"), "ink"])
    assert main(["fast", photo, "--style", STYLE, "--style", "ink", "-o", "out.png"]) == 0
    assert f"{STYLE}: style, 19 kB, license cc0-1.0; its card: " in capsys.readouterr().err
    recipe = read_recipe(Path("out.png"))
    assert recipe["style"] == [published, "ink"], "a branch moves; this state does not"
    assert (to_tensor(decode("out.png")) - expected).abs().max() < 0.01
    assert main(["fast", photo, "--recipe", "out.png", "-o", "again.png"]) == 0
    assert "license" not in capsys.readouterr().err, "told once"
    assert decode("again.png").rgb.tobytes() == decode("out.png").rgb.tobytes()
    assert torch.equal(fast.fast_stylize(image, [STYLE]), fast.fast_stylize(image, [published]))


def test_a_published_style_is_pulled_and_added(published, capsys):
    assert main(["models", "pull", STYLE]) == 0
    file = capsys.readouterr().out.strip()
    assert main(["styles", "--add", file]) == 0 and taught.find("mine").steps == 7


def test_a_published_style_is_chosen_in_the_app_and_blends(published, tab, photo):
    assert "a taught style, 19 kB, license cc0-1.0" in typed(tab, STYLE)
    chosen = clicked(tab, published, ["ink"], blending=True)
    assert chosen == ["ink", published] and tab.pick_own(chosen, True)[tab.chosen] == ["ink", OWN]
    painting = painted(tab, photo, chosen)
    assert read_recipe(painting.result)["style"] == chosen
    assert tab.open_picture(painting.result)[tab.chosen] == chosen


def test_what_calls_itself_a_style_and_is_none_is_refused(hub, photo, mine):
    config = {"format": taught.FORMAT, "name": "x", "network": find_model("cin").identity}
    data = {"config.json": json.dumps(config).encode()}
    hub.commit("evil/large", data | {"model.safetensors": bytes(taught.MOST_BYTES + 1)})
    hub.commit("evil/words", data | {"model.safetensors": b"nonsense"})
    for name, says in (("evil/large", "at most 64 kB"), ("evil/words", "no style")):
        with pytest.raises(WeightsError, match=says):
            fast.fast_stylize(to_tensor(decode(photo)), [name])
    with pytest.raises(WeightsError, match="choose it as a style"):
        load_model("evil/words")


def test_several_styles_are_named_with_their_network(hub, photo, tmp_path, capsys):
    with pytest.raises(ValueError, match="one of red, green, blue"):
        fast.fast_stylize(to_tensor(decode(photo)), [SEVERAL])
    out = str(tmp_path / "out.png")
    assert main(["fast", photo, "--model", SEVERAL, "--style", "green", "-o", out]) == 0
    assert main(["fast", photo, "--style", ONE, "-o", out]) == 0
    assert read_recipe(Path(out))["settings"]["model"] == f"{ONE}@{commit_of(hub, ONE)}"
    with pytest.raises(ValueError, match="cannot be blended"):
        fast.fast_stylize(to_tensor(decode(photo)), [ONE, "ink"])


def test_a_clip_is_painted_by_a_repository_too(published, hub, tmp_path):
    with gr.Blocks():
        tab = video.create_tab()
    clip = str(make_clip(tmp_path / "clip.mp4", count=3))
    manner = str(pictures.example_file("style", "waves"))
    given = [control.value for control in tab.controls.values()]
    several = f"{SEVERAL}@{commit_of(hub, SEVERAL)}"
    for typed, style, model in (
        (STYLE, published, None),
        (f"{SEVERAL} green", "green", several),
        (ONE, f"{ONE}@{commit_of(hub, ONE)}", f"{ONE}@{commit_of(hub, ONE)}"),
    ):
        values = [clip, manner, Choice(clip, None), Choice(manner, "waves"), *given, typed]
        order = tab.order(dict(zip(tab.inputs, values, strict=True)))
        assert order.names["style"] == [style] and order.settings.get("model") == model
        painting = Painting(order)
        list(painting.paint(TASKS["video"].run, tab.load))
        painting.finish()
        recipe = clip_recipe(painting.clip)
        assert tab.restored(recipe)[tab.mine] == (f"{several} green" if style == "green" else style)
    values[-1] = SEVERAL
    with pytest.raises(ValueError, match="type one after it, as in someone/colors red"):
        tab.order(dict(zip(tab.inputs, values, strict=True)))


# ---- in a browser


@pytest.fixture
def address(hub, tmp_path) -> Iterator[str]:
    with serving_page(tmp_path / "page", [("Fast styles", create_tab)]) as url:
        yield url


def test_a_typed_repository_paints_on_a_narrow_page_and_comes_back_by_its_link(address, hub, browser):  # noqa: F811
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page.goto(address)
    expect(page.locator("#fast-content img")).to_be_visible()
    page.get_by_text("From the Hub, to download").click()
    field = page.get_by_label("A repository of the Hub")
    field.fill("someone/nothing")
    field.press("Enter")
    expect(page.locator("[data-testid=toast-body]")).to_contain_text("shows no repository someone/nothing")
    field.fill(SEVERAL)
    page.get_by_role("button", name="Look up").click()
    green = page.locator(".from-the-hub button[data-name$=' green']")
    expect(page.locator(".from-the-hub p")).to_contain_text(f"{SEVERAL}: cin, ")
    expect(page.locator(".from-the-hub p a")).to_have_attribute("href", f"{hub.endpoint}/{SEVERAL}")
    assert not any("model.safetensors" in one.path for one in hub.requests)
    assert not findings(page), "whoever cannot see it, or sees little, is told the same"
    green.click()
    expect(green).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#fast-status strong")).to_have_text("Finished")
    assert any("model.safetensors" in one.path for one in hub.requests) and too_wide(page) <= 0
    page.goto(f"{address}?{urlencode({'task': 'fast', 'style': 'red', 'model': SEVERAL})}")
    expect(page.locator(".from-the-hub button[data-name$=' red']")).to_have_attribute("aria-pressed", "true")
    page.close()
