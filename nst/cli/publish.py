"""Publishing a model on the Hugging Face Hub: its weights, its configuration, a card and a picture."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, ModelCardData
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import httpx

import nst
from nst import taught
from nst.images import save, to_pil, to_tensor
from nst.registry import find_model, load_model
from nst.taught import Taught
from nst.weights import Weights, WeightsError, hub, load_tensors, manifest, metadata, record, resolve, save_tensors
from nst.weights.repository import CONFIG, NAME, WEIGHTS

PICTURES = {
    "encoder": "losses.webp",
    "texture": "texture.jpg",
    "faces": "faces/training.webp",
    "translator": "card.jpg",
}
"""What a card shows, of `nst/pictures`; that of a style is painted."""

# Front matter by kind, and by a word in what a model was trained on.
PIPELINES = {"encoder": "image-feature-extraction", "faces": "unconditional-image-generation"}
METRICS = {"encoder": ["ssim"], "style": ["ssim"]}
DATASETS = {"ImageNet": "imagenet-1k"}

MIXIN = ["pytorch_model_hub_mixin", "model_hub_mixin"]
LICENSES = {"mit": "mit", "bsd-3-clause": "bsd-3-clause", "apache-2.0": "apache-2.0"}

CARD = """---
{front}
---

# {name}

![A picture by or of this model]({picture})

{source}.

{use}

{more}
"""


NETWORK_USE = """```python
from nst import load_model

network = load_model("{repo}")
```

It is one of the models of Pastiche, neural style transfer; wherever Pastiche takes the name of a model, on the command
line too, it takes `{repo}`. `{weights}` and `{config}` have the layout of huggingface_hub's `PyTorchModelHubMixin`:
the tensors by the names of the network's parameters, and the arguments of its class."""

STYLE_USE = """```
python -m nst fast photo.jpg --style {repo} -o painted.png
```

It is a style for Pastiche, neural style transfer, in 20 kB: the scales and shifts of the network that comes with it.
In the app, type `{repo}` under *From the Hub*; `python -m nst models pull {repo}` keeps it for later."""


def push(name: str, repo: str, license: str = "", *, private: bool = False, dry_run: bool = False) -> Iterator[str]:
    """Publish a model; yields what is to be said.

    Args:
        name: one of ours; NAME-features of a network of others of which only a part is used; a file of one's own; or a
            style that was taught here.
        repo: "owner/name".
        license: of a file of one's own.
        private: whether it is shown to its owner only.
        dry_run: tell all that would be published, and publish nothing.

    Raises:
        WeightsError: it cannot be published, with what mends it.
    """
    if not re.fullmatch(f"{NAME}/{NAME}", repo):
        raise WeightsError(f"'{repo}' is no place on the Hub: give OWNER/NAME.")
    key = hub.token()
    if not key and not dry_run:
        raise WeightsError("Publishing needs a token that may write: run `hf auth login`, or set HF_TOKEN.")
    with tempfile.TemporaryDirectory(prefix="pastiche-push-") as place:
        folder = Path(place)
        entry = lay_out(name, repo, license, folder)
        for path in sorted(folder.iterdir()):
            yield f"{repo}/{path.name}  {path.stat().st_size:,} bytes"
        if dry_run:
            yield (folder / "README.md").read_text(encoding="utf-8")
            return
        commit = _upload(folder, repo, str(key), private)
    yield f"Published: {hub.endpoint() or hub.constants.ENDPOINT}/{repo}, as {repo}@{commit}"
    checkout = manifest.PRETRAINED.parent / "pyproject.toml"
    if entry and checkout.is_file():
        record(entry.name, manifest.PRETRAINED / entry.file, repo=repo, revision=commit)
        yield f"{manifest.PRETRAINED / 'models.toml'} names it now, for whoever has no {entry.file}."


def lay_out(name: str, repo: str, license: str, folder: Path) -> Weights | None:
    """Write all that is published into a folder; gives the entry of the manifest that it is, if it is one of ours."""
    path = Path(name).expanduser()
    path = taught.place(name) if name in taught.names() and not path.suffix else path
    if path.suffix == ".safetensors":
        if not license:
            raise WeightsError("Under which license? Say it with --license, such as --license mit.")
        said = metadata(path)
        if said.get("format") == taught.FORMAT:
            _lay_out_style(taught.load(path), path, repo, license, folder)
            return None
        entry = Weights(path.stem, "", said.get("architecture", ""), path.name, license, "Trained with Pastiche")
    else:
        entry = find_model(name.removesuffix("-features"))
        if not entry.ours and not entry.prefix:
            raise WeightsError(f"{entry.name} is not ours to publish; it is at {entry.repo}.")
        path = resolve(entry)
        said = metadata(path)
    config: dict[str, Any] = json.loads(said.get("config", "{}")) | entry.config
    if not entry.architecture:
        raise WeightsError(f"{path} does not say what it is: only files that Pastiche wrote can be published.")
    if entry.prefix:
        about = {"format": "pt", "architecture": entry.architecture, "config": json.dumps(config)}
        save_tensors(folder / WEIGHTS, load_tensors(path, entry.prefix), about)
    else:
        shutil.copyfile(path, folder / WEIGHTS)
    used = entry.name if entry.kind else str(path)
    network = load_model(used)  # nothing is published that could not be used
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    kind = entry.kind or ("style" if hasattr(network, "styles") else "encoder" if hasattr(network, "stages") else "")
    picture = _picture(kind, network, used, folder)
    (folder / "README.md").write_text(_card(entry, kind, repo, picture.name), encoding="utf-8")
    return entry if entry.ours and entry.command else None


def _lay_out_style(style: Taught, path: Path, repo: str, license: str, folder: Path) -> None:
    """The same of a style that was taught: a point in the space of a network, and no network."""
    shutil.copyfile(path, folder / WEIGHTS)
    config = {"format": taught.FORMAT, "name": style.name, "network": find_model(taught.NETWORK).identity}
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    picture = _painted(folder, style)
    source = f"A style that {taught.NETWORK}, a network of Pastiche's, was taught in {style.steps} steps"
    entry = Weights(style.name, "", "style", path.name, license, source)
    (folder / "README.md").write_text(_card(entry, "style", repo, picture.name), encoding="utf-8")


def _picture(kind: str, network: Any, used: str, folder: Path) -> Path:
    """What the card shows: an example photo, painted by a network for styles; else one of Pastiche's pictures."""
    if kind == "style":
        learned = getattr(network, "styles", None)
        return _painted(folder, learned[0] if learned else "night", used)
    source = Path(nst.__file__).parent / "pictures" / PICTURES.get(kind, "card.jpg")
    return Path(shutil.copyfile(source, folder / f"example{source.suffix}"))


def _painted(folder: Path, style: Taught | str, model: str | None = None) -> Path:
    """An example photo in a style, as a network paints it."""
    from nst.fast import fast_stylize
    from nst.styles import load_content

    painted = fast_stylize(to_tensor(load_content("chelsea")), [style], model=model, size=384)
    return save(folder / "example.png", to_pil(painted))


def _card(entry: Weights, kind: str, repo: str, picture: str) -> str:
    known = entry.license.lower()
    terms: dict[str, Any] = {"license": LICENSES.get(known, known if not entry.kind else "other")}
    if terms["license"] == "other":
        terms |= {"license_name": re.sub(r"\W+", "-", known), "license_link": "README.md"}
    front = ModelCardData(
        **terms,
        library_name="pastiche",
        pipeline_tag=PIPELINES.get(kind, "image-to-image"),
        tags=["style-transfer", "pastiche", entry.architecture, *MIXIN * (entry.architecture != "style")],
        datasets=[name for word, name in DATASETS.items() if word in entry.data] or None,
        metrics=METRICS.get(kind),
        architecture=entry.architecture,
    )
    more = [f"License: {entry.license}."]
    more += [f"Trained on: {entry.data}."] * bool(entry.data) + [f"Made by `{entry.command}`."] * bool(entry.command)
    told = manifest.PRETRAINED / "README.md"
    text = told.read_text(encoding="utf-8") if told.is_file() else ""
    if found := re.search(rf"^## {re.escape(entry.name)}\n\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL):
        more.append(re.sub(r"^#", "##", found[1].strip(), flags=re.MULTILINE))
    words = {"name": repo.partition("/")[2], "picture": picture}
    use = STYLE_USE if entry.architecture == "style" else NETWORK_USE
    return CARD.format(
        use=use.format(repo=repo, weights=WEIGHTS, config=CONFIG),
        front=front.to_yaml(),
        source=entry.source[:1].upper() + entry.source[1:].rstrip("."),
        more="\n\n".join(more),
        **words,
    )


def _upload(folder: Path, repo: str, key: str, private: bool) -> str:
    api = HfApi(endpoint=hub.endpoint(), token=key)
    try:
        api.create_repo(repo, private=private or None, exist_ok=True)
        done = api.upload_folder(repo_id=repo, folder_path=folder, commit_message="Published by Pastiche")
    except HfHubHTTPError as error:
        status = error.response.status_code
        what = "the token may not write there" if status in (401, 403) else str(error).splitlines()[0]
        raise WeightsError(f"The Hub did not take {repo}: {what} ({status}).") from error
    except (httpx.RequestError, OSError, ValueError) as error:
        raise WeightsError(f"The Hub did not take {repo}: {str(error).splitlines()[0]}") from error
    return str(done.oid)
