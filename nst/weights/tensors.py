"""Tensors from a file: safetensors, or a PyTorch file that holds numbers and nothing that runs."""

from __future__ import annotations

import pickle
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from nst.places import replacing
from nst.weights.onnx import OnnxError, read_initializers

if TYPE_CHECKING:
    from torch import Tensor  # torch takes seconds to import, and listing the models does not need it

PICKLES = {".pkl", ".pickle"}


class WeightsError(RuntimeError):
    """These weights cannot be used; the message says why and what to do."""


class WeightsNotFound(WeightsError):
    """These weights are nowhere; the message names the places tried and the command that mends it."""


def load_tensors(path: str | Path, prefix: str = "") -> dict[str, Tensor]:
    """The tensors of a .safetensors, PyTorch or ONNX file whose names begin with prefix, by name without it.

    They have the file's own shapes and types, on the CPU. A .safetensors file is mapped, not read: do not
    overwrite it in place while they are in use. (On Windows, where a mapped file cannot even be replaced, it is read.)

    Raises:
        WeightsNotFound: no such file.
        WeightsError: damaged, of another format, with code in it, or without such tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsNotFound(f"There is no file {path}.")
    suffix = path.suffix.lower()
    if suffix in PICKLES:
        raise WeightsError(f"{path} was not opened: such a file can run code. Convert it to .safetensors.")
    readers = {".safetensors": read_safetensors, ".onnx": read_onnx}
    tensors = readers.get(suffix, _read_pytorch)(path)
    chosen = {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    if not chosen:
        wanted = f'no tensors named "{prefix}..."' if prefix else "no tensors"
        raise WeightsError(f"{path} holds {wanted}, so it is not the model that was expected.")
    return chosen


def metadata(path: str | Path) -> dict[str, str]:
    """What a safetensors file says of itself ("config" is JSON in a string); {} for other files. Raises WeightsNotFound
    if there is none, and WeightsError if it is damaged."""
    path = Path(path)
    if not path.is_file():
        raise WeightsNotFound(f"There is no file {path}.")
    if path.suffix.lower() != ".safetensors":
        return {}
    try:
        with safe_open(path, "numpy") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a safetensors file, whatever its suffix; raises WeightsError if it is damaged."""
    try:
        if sys.platform == "win32":
            from safetensors.torch import load

            return load(path.read_bytes())
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error


def read_onnx(path: Path) -> dict[str, Tensor]:
    """The initializers of an ONNX file: its numbers; what it would compute is not looked at. Raises WeightsError if it
    is damaged."""
    import torch

    try:
        arrays = read_initializers(path.read_bytes())
    except OnnxError as error:
        raise WeightsError(f"{path} is no ONNX file, or is damaged or cut short ({error}).") from error
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file, whole or not at all; raises WeightsError if it cannot be written, or the disk is
    full."""
    from safetensors.torch import save_file

    plain = {name: tensor.contiguous() for name, tensor in tensors.items()}
    try:
        with replacing(path) as part:
            save_file(plain, part, metadata=dict(metadata or {}))
    except (SafetensorError, OSError) as error:
        reason = "the disk is full" if "No space" in str(error) or "os error 112" in str(error) else str(error)
        raise WeightsError(f"{path} cannot be written ({reason}): choose another place, or free some space.") from error


def check_finite(tensors: dict[str, Tensor], path: Path) -> None:
    """See that every value is a number; raises WeightsError, which names the tensor that holds NaN or infinity."""
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise WeightsError(f"{path} is damaged: {name} holds values that are no numbers.")


def _unreadable(path: Path, error: Exception) -> WeightsError:
    return WeightsError(f"{path} is no safetensors file, or is damaged or cut short ({error}).")


def _read_pytorch(path: Path) -> dict[str, Tensor]:
    import torch

    try:
        # Mapped instead of read where the format allows: the classifier is most of a VGG and is not wanted.
        mapped = zipfile.is_zipfile(path) and sys.platform != "win32"
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} was refused: it holds more than numbers (code could run when it is opened), or is no"
            " PyTorch file. Use a plain state_dict, or a .safetensors file."
        ) from error
    except Exception as error:  # damaged bytes make this reader fail in every way there is
        raise WeightsError(f"{path} is no PyTorch file, or is damaged or cut short.") from error
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict):
        raise WeightsError(f"{path} holds no state_dict (a table of tensors by name).")
    return {str(name): value for name, value in loaded.items() if isinstance(value, torch.Tensor)}
