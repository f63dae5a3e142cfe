"""An excerpt of a safetensors file: the tensors whose names begin alike, as a valid file of its own.

The format (https://huggingface.co/docs/safetensors): 8 bytes with the length of the header, the
header in JSON, and the tensors' bytes one after another. So the header tells which bytes are wanted
before any of them is fetched. Nothing a header says is believed before it is checked.
"""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from nst.weights.hub import Progress, RemoteFile

HEADER_LIMIT = 4 * 1024 * 1024  # bytes; VGG's header has 4 KB, the largest models' some 100 KB
FIRST_READ = 64 * 1024  # bytes: holds the length and most headers, so that one request is enough
BYTES_PER_VALUE = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1}


class HeaderError(ValueError):
    """The file is not a sound safetensors file; the message says why, as the end of a sentence."""


@dataclass(frozen=True)
class Span:
    """Where one tensor lies in its file, in bytes from the start of the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def read_header(source: RemoteFile) -> list[Span]:
    """Every tensor of a safetensors file, in the order they lie in it.

    Raises:
        HeaderError: too long, not JSON, sizes that do not add up, spans that leave the file or overlap.
    """
    head = b"".join(source.read(0, FIRST_READ))
    length = int.from_bytes(head[:8], "little")
    if len(head) < 10 or not 2 <= length <= min(HEADER_LIMIT, source.size - 8):
        raise HeaderError("it does not begin as a safetensors file does")
    if len(head) < 8 + length:
        head += b"".join(source.read(len(head), 8 + length))
    try:
        table = json.loads(head[8 : 8 + length])
    except (ValueError, RecursionError):
        raise HeaderError("its header cannot be read") from None
    if not isinstance(table, dict):
        raise HeaderError("its header is not a table")
    spans = [_span(name, entry, 8 + length) for name, entry in table.items() if name != "__metadata__"]
    spans.sort(key=lambda span: (span.start, span.stop))
    end = 8 + length
    for span in spans:
        if span.start < end:
            raise HeaderError(f"its tensors overlap at {_short(span.name)}")
        end = span.stop
    if end > source.size:
        raise HeaderError("its header promises more than the file holds")
    return spans


def _span(name: str, entry: Any, base: int) -> Span:
    """One entry of the header, checked. base: where the tensors' bytes begin in the file."""
    if not isinstance(entry, dict):
        raise HeaderError(f"its header is wrong at {_short(name)}")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in BYTES_PER_VALUE:
        raise HeaderError(f"{_short(name)} has the unknown type {_short(str(dtype))}")
    if not _counts(shape) or not _counts(offsets) or len(offsets) != 2:
        raise HeaderError(f"its header is wrong at {_short(name)}")
    start, stop = offsets
    if stop - start != math.prod(shape) * BYTES_PER_VALUE[dtype]:
        raise HeaderError(f"{_short(name)} has a size that does not fit its shape")
    return Span(name, dtype, tuple(shape), base + start, base + stop)


def _counts(values: object) -> TypeGuard[list[int]]:
    """A list of a few integers from 0 up (True is an int to Python, but not here)."""
    if not isinstance(values, list) or len(values) > 8:
        return False
    return all(type(value) is int and 0 <= value < 2**63 for value in values)


def _short(text: str) -> str:
    text = re.sub(r"[^\w.\-]", "?", text)
    return text if len(text) <= 60 else text[:57] + "..."


def copy(
    source: RemoteFile, spans: list[Span], notes: dict[str, str], partial: Path, progress: Progress | None = None
) -> None:
    """Write a file with only these tensors of a source whose header was read; go on with what an earlier, broken-off
    call left in it.

    The new header goes first and names the source with its tag, so the unfinished file itself tells whether its bytes
    belong to what is being fetched now: if its beginning differs, it is begun anew.

    Args:
        spans: the wanted tensors, in the order they lie in the source.
        notes: the new file's metadata.
        progress: called with (bytes done, bytes in all) of the tensors.

    Raises:
        HeaderError: the source ended early. OSError: from writing. What `source.read` raises.
    """
    header = _new_header(spans, {**notes, "tag": source.tag})
    total = sum(span.stop - span.start for span in spans)
    with open(partial, "a+b") as file:
        file.seek(0)
        if file.read(len(header)) != header or os.fstat(file.fileno()).st_size > len(header) + total:
            file.truncate(0)
            file.write(header)
        done = file.seek(0, os.SEEK_END) - len(header)
        skip = done
        for start, stop in _runs(spans):
            behind = min(skip, stop - start)
            skip -= behind
            if start + behind == stop:
                continue
            for chunk in source.read(start + behind, stop):
                file.write(chunk)
                done += len(chunk)
                if progress:
                    progress(done, total)
        if done != total:
            raise HeaderError("it ended before its last tensor")
        file.flush()
        os.fsync(file.fileno())


def _runs(spans: list[Span]) -> list[tuple[int, int]]:
    """The spans with neighbors joined, so that each run takes one request."""
    runs: list[tuple[int, int]] = []
    for span in spans:
        if runs and runs[-1][1] == span.start:
            runs[-1] = runs[-1][0], span.stop
        else:
            runs.append((span.start, span.stop))
    return runs


def _new_header(spans: list[Span], notes: dict[str, str]) -> bytes:
    table: dict[str, Any] = {"__metadata__": notes}
    at = 0
    for span in spans:
        end = at + span.stop - span.start
        table[span.name] = {"dtype": span.dtype, "shape": list(span.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(table, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the tensors' bytes are aligned
    return len(text).to_bytes(8, "little") + text
