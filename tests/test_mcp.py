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


def test_there_is_one_tool_and_it_says_what_it_takes(tools):
    (tool,) = ask(tools).tools
    assert tool.name.endswith("stylize") and "painting" in tool.description
    assert {"content", "style", "strength", "size", "preset", "seed"} <= set(tool.inputSchema["properties"])


def test_it_paints(tools):
    name = ask(tools).tools[0].name
    answer = ask(tools, call=name, content="chelsea", style=enclosed("orange"), strength=60, size=64, preset="draft")
    assert not answer.isError and any(part.type == "image" for part in answer.content)


@pytest.mark.parametrize(
    ("given", "told"),
    [({"size": 100_000}, "size"), ({"content": "http://127.0.0.1/x.png"}, "example"), ({"strength": 1e9}, "maximum")],
)
def test_what_the_page_refuses_is_refused_here(tools, given, told):
    answer = ask(tools, call=ask(tools).tools[0].name, **{"content": "chelsea", "style": "waves", "size": 64, **given})
    assert answer.isError and told in answer.content[0].text
