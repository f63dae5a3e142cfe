"""What rests on gradio's insides is fenced in, and a change of gradio's says what has to be read again."""

from __future__ import annotations

import ast
import hashlib
import inspect
import pkgutil

import gradio
import pytest
from test_architecture import SOURCES, imports, tree

from nst.server.gradio_internals import RESTS_ON, VERSION

FENCE = "nst.server.gradio_internals"
PUBLIC = {"gradio", "gradio.components", "gradio.data_classes", "gradio.themes.utils"}
READS = {
    "nst.server.admission": {"gradio.queueing"},
    "nst.server.firewall": {"gradio.route_utils"},
    "nst.server.queue": {"gradio.context"},
    "nst.server.sessions": {"gradio.state_holder"},
    "nst.server.tempfiles": {"gradio.utils"},
    "nst.ui.canvas": {"gradio.components.base", "gradio.components.image_editor"},
    "nst.ui.tabs": {"gradio.context"},
}
"""Who looks at something of gradio's that is not public, without changing it."""


def test_gradio_is_the_one_that_was_read():
    told = f"This was made for gradio {VERSION}; read RESTS_ON in {FENCE}, and what it names, before taking another."
    assert gradio.__version__ == VERSION, told


@pytest.mark.parametrize("name", RESTS_ON)
def test_what_we_rest_on_is_as_it_was(name):
    ours, known = RESTS_ON[name]
    source = inspect.getsource(pkgutil.resolve_name(name))
    found = hashlib.sha256(source.encode()).hexdigest()[: len(known)]
    assert found == known, f"Gradio changed {name}, on which {ours} rests: read both, then write {found} in {FENCE}."


def test_nobody_else_reaches_into_gradio():
    reaching = {}
    for module in SOURCES.keys() - {FENCE}:
        modules = {name.rpartition(".")[0] or name for name in imports(module) if name.startswith("gradio")}
        if private := modules - PUBLIC:
            reaching[module] = private
    assert all(private <= READS.get(module, set()) for module, private in reaching.items()), reaching


def test_nobody_else_puts_anything_in_gradios_place():
    """No attribute is set of what was imported from gradio."""
    found = []
    for module in SOURCES.keys() - {FENCE}:
        assert "method-assign" not in SOURCES[module].read_text(encoding="utf-8"), f"{module} replaces a method"
        own = {
            alias.asname or alias.name.partition(".")[0]
            for node in ast.walk(tree(module))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
            if (getattr(node, "module", None) or alias.name).partition(".")[0] == "gradio"
        }
        for node in ast.walk(tree(module)):
            for target in getattr(node, "targets", ()):
                if isinstance(target, ast.Attribute) and ast.unparse(target).partition(".")[0] in own:
                    found.append((module, node.lineno))
    assert not found
