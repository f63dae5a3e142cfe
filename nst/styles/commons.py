"""A file of Wikimedia Commons, fetched with care.

An address is followed within wikimedia.org alone, over TLS, at most three times on, and only a picture within
the limits of size and time is taken.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from urllib.parse import quote
from urllib.request import getproxies

from huggingface_hub.utils import httpx

# Commons serves thumbnails of a few widths only, and this is one (mediawiki.org, Common thumbnail sizes).
WIDTH = 1280
MAX_BYTES = 15 * 2**20
MAX_REDIRECTS = 3
CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 3.0, 10.0, 45.0
_HOST = "commons.wikimedia.org"
# Wikimedia asks every client to say what it is (foundation.wikimedia.org, User-Agent policy).
_AGENT = f"Pastiche/0.1 (neural style transfer; example paintings on demand) python-httpx/{httpx.__version__}"


class CommonsError(RuntimeError):
    """The file was not to be had; the message says why, as the end of a sentence."""


def fetch(file: str, *, transport: httpx.BaseTransport | None = None) -> bytes:
    """The bytes of a file of Commons, reduced to 1280 pixels across where it is larger.

    Args:
        file: its name there, with underscores, such as "Shipwreck_turner.jpg".
        transport: stands in for the network, for tests.

    Raises:
        CommonsError: no answer, or not one we take.
    """
    if transport is None and not _found(_HOST):
        raise CommonsError("Wikimedia Commons cannot be reached: try again when this machine is online")
    address = httpx.URL(f"https://{_HOST}/wiki/Special:FilePath/{quote(file)}?width={WIDTH}")
    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    stop = time.monotonic() + WHOLE_SECONDS
    try:
        with httpx.Client(transport=transport, timeout=timeout, headers={"User-Agent": _AGENT}) as client:
            for _ in range(MAX_REDIRECTS + 1):
                if not _allowed(address):
                    raise CommonsError(f"Wikimedia sent us on to {address.host[:60]}, where we do not follow")
                with client.stream("GET", address, follow_redirects=False) as answer:
                    if not answer.has_redirect_location:
                        return _receive(answer, stop)
                    address = address.join(answer.headers["location"])
    except httpx.TimeoutException as error:
        raise CommonsError("Wikimedia Commons was too slow: try again later") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise CommonsError("Wikimedia Commons cannot be reached: try again when this machine is online") from error
    raise CommonsError("Wikimedia sent us on too many times")


def _allowed(address: httpx.URL) -> bool:
    """Whether this is an address of Wikimedia over TLS, with nothing odd about it."""
    host = address.host.lower()
    named = host == "wikimedia.org" or host.endswith(".wikimedia.org")
    return address.scheme == "https" and named and address.port in (None, 443) and not address.userinfo


def _found(host: str) -> bool:
    """Whether the host's name is known within the time of a connection; a resolver can hang for longer."""
    if getproxies():
        return True  # then the proxy looks it up
    known: list[bool] = []

    def look() -> None:
        with contextlib.suppress(OSError):
            known.append(bool(socket.getaddrinfo(host, 443)))

    seeker = threading.Thread(target=look, daemon=True)
    seeker.start()
    seeker.join(CONNECT_SECONDS)
    return bool(known)


def _receive(answer: httpx.Response, stop: float) -> bytes:
    """The body of an answer, if it says that it is a picture and keeps to the limits."""
    if answer.status_code != 200:
        raise CommonsError(f"Wikimedia Commons answered {answer.status_code}: try again later")
    if not answer.headers.get("content-type", "").lower().startswith("image/"):
        raise CommonsError("what Wikimedia sent is not a picture")
    announced = answer.headers.get("content-length", "")
    data = bytearray()
    too_large = announced.isdecimal() and int(announced) > MAX_BYTES
    if not too_large:
        for piece in answer.iter_bytes(64 * 1024):
            data += piece
            too_large = len(data) > MAX_BYTES
            if too_large:
                break
            if time.monotonic() > stop:
                raise CommonsError("Wikimedia Commons was too slow: try again later")
    if too_large:
        raise CommonsError(f"its file is larger than {MAX_BYTES // 2**20} MB")
    return bytes(data)
