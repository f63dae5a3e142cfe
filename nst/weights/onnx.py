"""The numbers in an ONNX file, without the onnx package and without running anything.

An ONNX file is one Protocol Buffers message (ModelProto); only the few fields that lead to the initializers are read.
Field numbers after onnx.proto: ModelProto.graph 7; GraphProto.initializer 5; TensorProto.dims 1, data_type 2,
float_data 4, name 8, raw_data 9.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

FLOAT, INT64, FLOAT16 = 1, 7, 10
TYPES = {FLOAT: "<f4", INT64: "<i8", FLOAT16: "<f2"}


class OnnxError(ValueError):
    """These bytes are no ONNX file; the message says why."""


def read_initializers(data: bytes) -> dict[str, np.ndarray]:
    """The arrays that an ONNX file holds, by name, but those of other types than float, half and int64. Raises
    OnnxError if the bytes are no ONNX file."""
    view = memoryview(data)
    found: dict[str, np.ndarray] = {}
    for field, graph in _fields(view):
        if field == 7 and isinstance(graph, memoryview):
            for inner, tensor in _fields(graph):
                if inner == 5 and isinstance(tensor, memoryview):
                    name, array = _tensor(tensor)
                    if array is not None:
                        found[name] = array
    if not found:
        raise OnnxError("it has no initializers")
    return found


def _tensor(message: memoryview) -> tuple[str, np.ndarray | None]:
    shape: list[int] = []
    kind, name, raw = 0, "", b""
    floats: list[bytes] = []
    for field, value in _fields(message):
        if field == 1:
            shape += list(_varints(value)) if isinstance(value, memoryview) else [value]
        elif field == 2 and isinstance(value, int):
            kind = value
        elif field == 4 and isinstance(value, memoryview):
            floats.append(bytes(value))
        elif field == 8 and isinstance(value, memoryview):
            name = bytes(value).decode("utf-8", "replace")
        elif field == 9 and isinstance(value, memoryview):
            raw = bytes(value)
    if kind not in TYPES or not (raw or floats):
        return name, None
    try:
        return name, np.frombuffer(raw or b"".join(floats), TYPES[kind]).reshape(shape).copy()
    except ValueError as error:
        raise OnnxError(f"the size of {name[:60]} is not what its shape says") from error


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field of a message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        if key & 7 == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        size, at = {1: (8, at), 5: (4, at)}.get(key & 7) or (_varint(message, at) if key & 7 == 2 else (-1, at))
        if size < 0 or at + size > len(message):
            raise OnnxError("a field reaches beyond the end")
        yield key >> 3, message[at : at + size]
        at += size


def _varints(message: memoryview) -> Iterator[int]:
    at = 0
    while at < len(message):
        value, at = _varint(message, at)
        yield value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise OnnxError("it ends within a number")
        value |= (message[at] & 127) << shift
        at += 1
        if message[at - 1] < 128:
            return value, at
    raise OnnxError("a number is longer than any can be")
