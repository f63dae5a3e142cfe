"""The public names: all there, on one screen, and light to import."""

from __future__ import annotations

import pytest

import nst


def test_every_public_name_is_there():
    for name in nst.__all__:
        assert getattr(nst, name) is not None
    assert set(nst.__all__) == set(dir(nst))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="paint"):
        nst.paint  # noqa: B018
