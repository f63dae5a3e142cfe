"""For all tests: one thread, an empty cache of their own, and no network."""

from __future__ import annotations

import functools
import os
import shutil
import ssl
import sys
import tempfile

import pytest

CACHE = tempfile.mkdtemp(prefix="pastiche-tests-")
os.environ |= {
    "PASTICHE_CACHE": CACHE,
    "PASTICHE_RESULTS": os.path.join(CACHE, "results"),
    "HF_HUB_OFFLINE": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "OMP_NUM_THREADS": "1",  # here and in processes that a test starts; tiny pictures only lose by more threads
}
ssl.create_default_context = functools.cache(ssl.create_default_context)  # each client reads all certificates: 20 ms


@pytest.fixture(autouse=True)
def nothing_learned() -> None:
    """The runs of other tests, which only pretend, say nothing of this machine."""
    if forecast := sys.modules.get("nst.ui.forecast"):
        forecast.learn(1.0, 1.0)


def pytest_unconfigure() -> None:
    shutil.rmtree(CACHE, ignore_errors=True)
