"""Models by name: which there are, and the one that is asked for, built and with its weights in."""

from __future__ import annotations

import difflib
import importlib
import json
import pkgutil
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nst import weights as store
from nst.places import expanded
from nst.weights import Weights, WeightsError, repository
from nst.weights.repository import Offer

if TYPE_CHECKING:  # what there is, is told without it
    from torch import Tensor, nn

Progress = Callable[[int, int], None]
Config = Mapping[str, Any]
Tensors = Mapping[str, "Tensor"]
Stored = tuple[Config, Tensors]  # what is stored of a network: the arguments of its class, and its tensors by name

Builder = Callable[[Config, Tensors], "nn.Module"]
AsOurs = Callable[[Config, Tensors], Stored]  # from what is stored, in a layout of others maybe, to what a class takes

Network = TypeVar("Network", bound="nn.Module")

SUFFIXES = {*repository.SUFFIXES, ".pkl"}

FOREIGN = ("johnson", "cyclegan", "progan")  # the architectures of which networks of others can be imported

builders: dict[str, Builder] = {}
_models: dict[tuple[object, ...], nn.Module] = {}
_locks: dict[tuple[object, ...], threading.Lock] = {}
_guard = threading.RLock()


def register(architecture: str, as_ours: AsOurs | None = None) -> Callable[[type[Network]], type[Network]]:
    """Decorator: make a network's class known under the name that `models.toml` and a file's metadata use.

    It stands in `nst/encoders.py`, or in the module of `nst/models` that has the architecture's name, which is imported
    when that is first asked for. `as_ours` makes that which is stored what the class takes, where it is not so already.
    """

    def keep(kind: type[Network]) -> type[Network]:
        builders[architecture] = partial(_assembled, kind, as_ours)
        return kind

    return keep


def _assembled(kind: type[nn.Module], as_ours: AsOurs | None, config: Config, tensors: Tensors) -> nn.Module:
    """A network of a class with these weights, loaded strictly."""
    tensors = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    config, tensors = as_ours(config, tensors) if as_ours else (config, tensors)
    network = kind(**config)
    network.load_state_dict(dict(tensors))
    import torch

    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def list_models(kind: str | None = None) -> list[Weights]:
    """Every model of `pretrained/models.toml`, or those of one kind, in the order of that file."""
    return [w for w in store.read_manifest().values() if kind in (None, w.kind)]


def find_model(name: str) -> Weights:
    """The entry of this name. Raises ValueError, which offers the nearest names, where there is none."""
    known = store.read_manifest()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name.lower(), known, 3, 0.5)
    offer = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(known) or 'none'}."
    raise ValueError(f'There is no model "{name}". {offer} (A file ends in .safetensors or .pth.)')


def load_model(
    name_or_path: str | Path,
    *,
    progress: Progress | None = None,
    download: bool = True,
    architecture: str | None = None,
) -> nn.Module:
    """A model by name, or from the user's own file: on the CPU, for inference, its weights frozen.

    The same name or unchanged file gives the same Module every time, also on several threads at once:
    do not change it.

    Args:
        name_or_path: a name of `list_models()`; a .safetensors or PyTorch file; or a repository of the Hub,
            "owner/name" or "owner/name@revision". A file must say what it is in its metadata ("architecture",
            "config"), or have just the tensors of a known model.
        progress: called with (bytes done, bytes in all) during a download.
        download: False to make do with what is here.
        architecture: what a file holds that does not say so itself.

    Raises:
        ValueError: no such name; the message offers the nearest ones.
        WeightsNotFound: the weights are nowhere; the message says what mends it.
        WeightsError: the file is damaged, is refused, or does not fit the architecture.
    """
    how: dict[str, Any] = {"progress": progress, "download": download}
    key: tuple[object, ...]
    make: Callable[[], nn.Module]
    if offer := offered(name_or_path, download=download):
        key, make = (offer.repo, offer.revision), lambda: _from_offer(offer, repository.fetch(offer, **how))
    elif not _is_path(name_or_path):
        entry = find_model(str(name_or_path))
        key, make = (entry.name, entry.identity), lambda: _from_entry(entry, store.resolve(entry, **how))
    elif (path := expanded(name_or_path)).is_file():
        own = path.stat()
        key, make = (
            (str(path.resolve()), own.st_size, own.st_mtime_ns, architecture),
            lambda: _from_file(path, architecture),
        )
    else:
        raise store.WeightsNotFound(f"There is no file {path}.")
    with _guard:
        lock = _locks.setdefault(key, threading.Lock())
    with lock:  # one lock a model, so that nobody waits for a download that is not his
        if key not in _models:
            _models[key] = make()
        return _models[key]


def offered(name: str | Path, *, download: bool = True) -> Offer | None:
    """What the Hub has under this name, if it is that of a repository; what is known under it costs no request. Raises
    as `load_model`."""
    asked = repository.parse(name)
    return repository.look(*asked, download=download) if asked else None


def forget_models() -> None:
    """Let go of every loaded model."""
    with _guard:
        _models.clear()
        _locks.clear()


def model_rows(kind: str | None = None) -> list[dict[str, str]]:
    """What a table of the models shows, in words: name, kind, place, size, license, origin.

    Place is the path where it lies, "not downloaded", or "missing" for one of our own. Makes no request.
    """
    rows = []
    for entry in list_models(kind):
        place = store.find(entry)
        size = _megabytes(entry.download or entry.size)
        rows.append(
            {
                "name": entry.name,
                "kind": entry.kind,
                "place": str(place) if place else "not downloaded" if entry.repo else "missing",
                "size": f"{size} of {_megabytes(entry.size)}" if 0 < entry.download < entry.size else size,
                "license": entry.license,
                "origin": f"{entry.repo}@{entry.revision[:10]}" if entry.repo else entry.source,
            }
        )
    return rows


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size < 1e7 else f"{size / 1e6:.0f} MB"


def _is_path(name_or_path: str | Path) -> bool:
    if isinstance(name_or_path, Path):
        return True
    path = Path(name_or_path)
    return path.suffix.lower() in SUFFIXES or len(path.parts) > 1


def _from_entry(entry: Weights, path: Path) -> nn.Module:
    tensors = store.load_tensors(path, entry.prefix)
    if entry.shapes and (wrong := _differences(tensors, entry)):
        raise WeightsError(f"{path} does not hold {entry.name}: {', '.join(wrong[:3])} are not as expected.")
    return _build(entry.architecture, _config(path) | entry.config, tensors, path)  # the manifest has the last word


def _from_file(path: Path, architecture: str | None) -> nn.Module:
    said = store.metadata(path)
    if "architecture" in said:
        tensors = store.load_tensors(path, said.get("prefix", ""))
        return _build(said["architecture"], _config(path), tensors, path)
    tensors = store.load_tensors(path)
    for entry in list_models():
        part = {k[len(entry.prefix) :]: t for k, t in tensors.items() if k.startswith(entry.prefix)}
        if entry.shapes and not _differences(part, entry):
            return _build(entry.architecture, entry.config, part, path)
    if architecture is None:
        shaped = ", ".join(entry.name for entry in list_models() if entry.shapes)
        raise WeightsError(
            f"{path} is none of the models known here: it names no architecture, and its tensors are not"
            f" those of {shaped or 'any of them'}."
        )
    return _build(architecture, _config(path), tensors, path)


def _from_offer(offer: Offer, path: Path) -> nn.Module:
    """A network of the Hub: in our layout strictly, else by what it holds, else by the importers."""
    if offer.taught:
        raise WeightsError(f"{offer.repo} holds a style that was taught, and no network: choose it as a style.")
    said = store.metadata(path)
    if "architecture" in said:
        config = repository.check_config(offer)
        if config.get("encoder", "compact") not in store.read_manifest():
            raise WeightsError(f"{offer.repo} was refused: it looks through an encoder that is not known here.")
        return _build(said["architecture"], config, store.load_tensors(path, said.get("prefix", "")), path)
    for architecture in FOREIGN:
        try:
            return _from_file(path, architecture)
        except WeightsError as error:
            reason = error
    raise WeightsError(f"{offer.repo} holds no network that is known here ({reason})")


def _differences(tensors: dict[str, Tensor], entry: Weights) -> list[str]:
    shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
    return sorted(k for k in {*shapes, *entry.shapes} if shapes.get(k) != entry.shapes.get(k))


def _config(path: Path) -> dict[str, Any]:
    """The architecture's arguments from the file's own metadata, or {}."""
    text = store.metadata(path).get("config", "{}")
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise WeightsError(f"{path} has a config in its metadata that is not a table in JSON.")
    return config


def _build(architecture: str, config: dict[str, Any], tensors: dict[str, Tensor], path: Path) -> nn.Module:
    store.check_finite(tensors, path)
    builder = _find_builder(architecture)
    try:
        module = builder(config, tensors)
    except WeightsError:
        raise
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
        # What strict loading says is many lines long: which keys are wrong is on the last ones.
        reason = " ".join(str(error).split())[:300]
        raise WeightsError(f'{path} does not fit the architecture "{architecture}": {reason}') from error
    return module.eval().requires_grad_(False)


def _find_builder(architecture: str) -> Builder:
    """The registered builder. Where it is written is found by name, so that no floor above is imported."""
    models = pkgutil.iter_modules(importlib.import_module("nst.models").__path__)
    home = {"encoder": "nst.encoders", **{one.name: f"nst.models.{one.name}" for one in models}}.get(architecture)
    if architecture not in builders and home:
        try:
            importlib.import_module(home)
        except ImportError as error:
            raise WeightsError(f"{home} cannot be imported ({error}).") from error
    if architecture not in builders:
        raise WeightsError(f'Nothing here builds the architecture "{architecture}".')
    return builders[architecture]
