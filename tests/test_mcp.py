"""The app as an MCP server, asked by the protocol's own client; only where `gradio[mcp]` is installed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from fake_run import FakeRun
from test_hosting import enclosed, served

mcp = pytest.importorskip("mcp", reason="gradio[mcp] is not installed")


@pytest.fixture(scope="module")
def tools(tmp_path_factory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("mcp"), FakeRun(), api=True) as address:
        yield f"{address}gradio_api/mcp/"


def ask(address: str, *, call: str = "", **given: Any) -> Any:
    """What a program is told: the list of tools, or what one of them answers."""
    from mcp.client.streamable_http import streamablehttp_client

    async def asked() -> Any:
        async with streamablehttp_client(address) as (read, write, _), mcp.ClientSession(read, write) as session:
            await session.initialize()
            return await (session.call_tool(call, given) if call else session.list_tools())

    return asyncio.run(asyncio.wait_for(asked(), 60))


TAKEN = {
    "stylize": {"content", "style", "strength", "size", "preset", "seed"},
    "paint_fast": {"content", "style", "strength", "size", "preserve_color"},
    "paint_clip": {"content", "style", "consistency", "size", "preserve_color"},
    "translate_photo": {"content", "direction", "size"},
    "make_faces": {"count", "seed", "truncation"},
}


def tool(address: str, name: str) -> Any:
    return next(one for one in ask(address).tools if one.name.endswith(name))


def test_there_are_tools_that_say_what_they_do_and_take(tools):
    there = ask(tools).tools
    assert len(there) == len(TAKEN)
    for name, taken in TAKEN.items():
        (one,) = (one for one in there if one.name.endswith(name))
        assert set(one.inputSchema["properties"]) == taken and len(one.description) > 40
        assert all(about.get("description") for about in one.inputSchema["properties"].values())


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("stylize", {"content": "chelsea", "style": enclosed("orange"), "strength": 60, "size": 64, "preset": "draft"}),
        ("paint_fast", {"content": enclosed("teal"), "style": "mosaic", "size": 64}),
        ("make_faces", {"count": 2, "seed": 5}),
    ],
)
def test_they_paint(tools, name, given):
    answer = ask(tools, call=tool(tools, name).name, **given)
    assert not answer.isError and any(part.type == "image" for part in answer.content)


@pytest.mark.parametrize(
    ("given", "told"),
    [({"size": 100_000}, "size"), ({"content": "http://127.0.0.1/x.png"}, "example"), ({"strength": 1e9}, "maximum")],
)
def test_what_the_page_refuses_is_refused_here(tools, given, told):
    asked = {"content": "chelsea", "style": "waves", "size": 64, **given}
    answer = ask(tools, call=tool(tools, "stylize").name, **asked)
    assert answer.isError and told in answer.content[0].text
