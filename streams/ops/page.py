"""A worker's pages, asked by a command: what does not answer, or answers as something else, is told in a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen

import orjson

from streams.ops import NotReady
from streams.settings import Settings

SECONDS = 10.0
OK = 200
UNSPECIFIED = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 (a worker listens there; it is asked here)


class Page(NamedTuple):
    """What a worker said: where, the HTTP status, and its JSON."""

    url: str
    status: int
    body: Any


class Silent(NotReady):
    """Nobody answers at a URL, or somebody who is no worker of Awaken."""


def workers(settings: Settings, urls: Sequence[str]) -> list[str]:
    """Return the URLs to be asked, each once: those given, or that of the worker that the settings name.

    Raises:
        NotReady: one of them is no URL of a server.
    """
    if not urls:
        host = UNSPECIFIED.get(settings.web_host, settings.web_host)
        urls = [f"http://{host}:{settings.web_port}"]
    return list(dict.fromkeys(map(_checked, urls)))


def get(
    url: str,
    path: str,
    query: Mapping[str, object] | None = None,
    seconds: float = SECONDS,
    expected: type = dict,
    body: bytes | None = None,
) -> Page:
    """Return what a worker's page says, JSON of the expected type; a status of 4xx or 503 is an answer too.

    With a `body`, JSON too, the page is asked by POST.

    Raises:
        Silent: nobody answers there within `seconds`, or not as a worker does.
    """
    whole = url + path + (f"?{urlencode(query)}" if query else "")
    try:
        request = Request(whole, body, {"Content-Type": "application/json"})  # noqa: S310 (`_checked`)
        with urlopen(request, timeout=seconds) as answer:  # noqa: S310 (lets http and https pass)
            status, text = answer.status, answer.read()
    except HTTPError as error:
        with error:
            status, text = error.code, error.read()
    except (OSError, HTTPException) as error:
        why = getattr(error, "reason", error)
        raise Silent(f"no worker answers at {url}: {why}", "start one: awaken worker; or name it: --url") from error
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        said = None
    fits = isinstance(said, expected) if status == OK else isinstance(said, dict) and "error" in said
    if not fits:
        raise Silent(f"{url} does not answer as a worker of Awaken does (HTTP {status})", "name a worker's: --url")
    return Page(url, status, said)


def told(url: str, path: str, sign: str, query: Mapping[str, object] | None = None) -> Page:
    """Return what a worker's page says of its partitions; `sign` is a key that such a page has.

    Raises:
        NotReady: it refuses, or is no worker.
    """
    answer = get(url, path, query)
    if answer.status != 200:  # noqa: PLR2004 (OK)
        raise NotReady(f"{url}: {answer.body['error']}", "ask again" if answer.status == 503 else "")  # noqa: PLR2004
    if sign not in answer.body:
        raise NotReady(f"{url} does not answer as a worker of Awaken does", "name a worker's: --url")
    return answer


def partitions(pages: Sequence[Page]) -> dict[str, Any]:
    """Return of which partitions pages tell (`partitions`), out of how many (`of`), and which are `missing`.

    Raises:
        NotReady: two of them tell of the same partition.
    """
    held: dict[int, str] = {}
    for answer in pages:
        for number in answer.body["partitions"]:
            if number in held:
                raise NotReady(
                    f"{held[number]} and {answer.url} both tell of partition {number}",
                    "name each worker once; amid a rebalance, ask again",
                )
            held[number] = answer.url
    of = max(answer.body["of"] for answer in pages)
    missing = [number for number in range(of) if number not in held]
    return {"partitions": sorted(held), "of": of, "missing": missing}


def without(missing: Sequence[int]) -> str:
    """Return in words that partitions are missing."""
    return f"note: without partitions {', '.join(map(str, missing))}: name the workers that hold them with --url"


def escaped(user: str) -> str:
    """Return a user's id as one segment of a path, whatever it holds."""
    return quote(user, safe="").replace(".", "%2E")  # a segment of dots would be taken for a way up


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        named = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        named = False
    if not named or parts.query or parts.fragment:
        raise NotReady(f"--url {url}: is no URL of a worker", "write it like http://127.0.0.1:6066")
    return url.rstrip("/")
