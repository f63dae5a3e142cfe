"""For all tests: one thread, an empty cache of their own, and no network."""

from __future__ import annotations

import functools
import gc
import os
import re
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

gc.disable()  # while everything is imported, of which nothing goes away again

SERVES = re.compile(r"^(from|import) (app|gradio|nst\.(server|ui)|test_browser|visitor)\b", re.MULTILINE)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where coverage is taken (`--cov`): it is of the core, and does not slow down what serves pages."""
    if config.pluginmanager.hasplugin("_cov"):
        serving = {path for path in {item.path for item in items} if SERVES.search(path.read_text(encoding="utf-8"))}
        for item in items:
            if item.path in serving:
                item.add_marker("no_cover")


def pytest_collection_finish() -> None:
    gc.freeze()  # nor is it looked through again and again
    gc.enable()


@pytest.fixture(autouse=True)
def nothing_learned() -> None:
    """The runs of other tests, which only pretend, say nothing of this machine."""
    if forecast := sys.modules.get("nst.ui.forecast"):
        forecast.learn(1.0, 1.0)


def pytest_unconfigure() -> None:
    shutil.rmtree(CACHE, ignore_errors=True)
