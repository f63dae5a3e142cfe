"""A visitor without a browser: asks the server the very things that the page in a browser asks."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from gradio_client.utils import apply_diff


class Refused(Exception):
    """The server would not take it; `status` is the HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text[:200]}")
        self.status = status


class Again(httpx.HTTPTransport):
    """Asks once more, as browsers do, where the server closed a kept connection in the moment in which it was asked."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return super().handle_request(request)
        except httpx.RemoteProtocolError as error:
            if "without sending a response" not in str(error):
                raise
            return super().handle_request(request)


class Visitor:
    """One open page.

    Args:
        url: of the server.
        query: what follows it, such as "?size=64".
        address: the visitor's own, one of this machine's, such as "127.0.0.7".

    Attributes:
        values: what each component holds, by its number.
        toasts: what the page was told, newest last.
    """

    def __init__(self, url: str, query: str = "", timeout: float = 120.0, address: str | None = None) -> None:
        self.url, self.query, self.session = url.rstrip("/"), query, secrets.token_hex(6)
        self.http = httpx.Client(base_url=self.url, timeout=timeout, transport=Again(local_address=address))
        self.http.get(f"/{query}").raise_for_status()
        self.config = self.http.get("/config").raise_for_status().json()
        self.values = {one["id"]: one["props"].get("value") for one in self.config["components"]}
        self.toasts: list[str] = []
        self.event = ""

    def component(self, elem_id: str) -> int:
        return next(one["id"] for one in self.config["components"] if one["props"].get("elem_id") == elem_id)

    def has(self, elem_id: str) -> bool:
        return any(one["props"].get("elem_id") == elem_id for one in self.config["components"])

    def events(self, elem_id: str, event: str = "click") -> list[int]:
        """The numbers of what happens on an event, and after it, in order."""
        target = [self.component(elem_id), event]
        found = [d["id"] for d in self.config["dependencies"] if target in d["targets"] and d["backend_fn"]]
        for dependency in self.config["dependencies"]:
            if dependency.get("trigger_after") in found and dependency["backend_fn"]:
                found.append(dependency["id"])
        return found

    def loads(self) -> list[int]:
        """The numbers of what happens when the page opens, and its first tab with it."""
        first = next((one["id"] for one in self.config["components"] if one["type"] == "tabitem"), None)
        return [
            d["id"]
            for d in self.config["dependencies"]
            if any(event == "load" or [one, event] == [first, "select"] for one, event in d["targets"])
        ]

    def first_looks(self) -> list[int]:
        """The numbers of what happens when a tab is looked at."""
        tabs = {one["id"] for one in self.config["components"] if one["type"] == "tabitem"}
        events = self.config["dependencies"]
        return [
            d["id"] for d in events if d["backend_fn"] and any(t in tabs and e == "select" for t, e in d["targets"])
        ]

    def show(self, elem_id: str) -> Any:
        return self.values[self.component(elem_id)]

    def set(self, elem_id: str, value: Any) -> None:
        self.values[self.component(elem_id)] = value

    def upload(self, path: Path) -> dict[str, Any]:
        """A file as a component's value."""
        answer = self.http.post("/gradio_api/upload", files={"files": (path.name, path.read_bytes())})
        if answer.status_code != 200:
            raise Refused(answer.status_code, answer.text)
        return {"path": answer.json()[0], "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}

    def call(self, number: int, data: list[Any] | None = None) -> bool:
        """Have an event done, to its end; whether it went well."""
        return all(message["success"] for message in self.watch(number, data) if message["msg"] == "process_completed")

    def watch(self, number: int, data: list[Any] | None = None) -> Iterator[dict[str, Any]]:
        """What the server tells of an event until it is done; the values follow."""
        dependency = self.config["dependencies"][number]
        data = [self.values.get(i) for i in dependency["inputs"]] if data is None else data
        asked = {"data": data, "fn_index": number, "session_hash": self.session, "trigger_id": None, "event_data": None}
        if not dependency["queue"]:
            answer = self.http.post(f"/gradio_api/run/predict{self.query}", json=asked)
            yield {"msg": "process_completed", "success": answer.status_code == 200, "output": answer.json()}
            self._take(dependency["outputs"], answer.json().get("data", []))
            return
        joined = self.http.post(f"/gradio_api/queue/join{self.query}", json=asked)
        if joined.status_code != 200:
            raise Refused(joined.status_code, joined.text)
        self.event = joined.json()["event_id"]
        shown: list[Any] = []
        with self.http.stream("GET", "/gradio_api/queue/data", params={"session_hash": self.session}) as stream:
            for line in stream.iter_lines():
                if not line.startswith("data:"):
                    continue
                message = json.loads(line[5:])
                if message["msg"] == "log":
                    self.toasts.append(message["log"])
                if message["msg"] == "process_generating" and message["success"]:
                    new = message["output"]["data"]  # after the first, only what differs is sent
                    shown = [apply_diff(*pair) for pair in zip(shown, new, strict=True)] if shown else new
                    self._take(dependency["outputs"], shown)
                if message["msg"] == "process_completed":
                    if message["success"] and not shown:
                        self._take(dependency["outputs"], message["output"]["data"])
                    elif error := message["output"].get("error"):
                        self.toasts.append(error)
                yield message
                if message["msg"] in ("process_completed", "close_stream", "unexpected_error"):
                    return

    def cancel(self, number: int) -> None:
        """As the page does when an event is cancelled."""
        asked = {"event_id": self.event, "session_hash": self.session, "fn_index": number}
        self.http.post("/gradio_api/cancel", json=asked).raise_for_status()

    def open(self) -> None:
        """What the page does when it opens."""
        for number in self.loads():
            self.call(number)

    def click(self, elem_id: str, event: str = "click") -> bool:
        """Press, and wait for all that follows."""
        return all(self.call(number) for number in self.events(elem_id, event))

    def close(self) -> None:
        self.http.close()

    def _take(self, outputs: list[int], data: list[Any]) -> None:
        for number, value in zip(outputs, data, strict=False):
            if not isinstance(value, dict) or value.get("__type__") != "update":
                self.values[number] = value
            elif "value" in value:
                self.values[number] = value["value"]
