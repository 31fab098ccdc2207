"""A user's row asked of running workers: one of them holds his partition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streams.ops import NotReady
from streams.ops.page import Page, Silent, escaped, get

FOUND = 200


def ask(urls: Sequence[str], user: str) -> dict[str, Any]:
    """Return what the worker that holds a user's partition tells of him.

    Raises:
        NotReady: nothing is known of him, or no worker that was asked holds his partition; it says what each answered.
    """
    silent: list[str] = []
    pages: list[Page] = []
    for url in urls:
        try:
            page = get(url, f"/users/{escaped(user)}")
        except Silent as error:
            silent.append(error.detail)
            continue
        if page.status == FOUND:
            return dict(page.body)
        pages.append(page)
    if len(silent) == len(urls):
        raise Silent("\n".join(silent), "start a worker: awaken worker; or name one: --url; or do without: --topics")
    if any(page.body.get("held") for page in pages):
        raise unknown(user)
    said = [f"{page.url}: {page.body['error']}" for page in pages]
    raise NotReady(
        "\n".join([f"no worker that was asked holds the partition of {user!r}", *said, *silent]),
        "name the others too, each with --url; or do without them: --topics",
    )


def unknown(user: str) -> NotReady:
    """Return the answer about somebody of whom nothing is known."""
    mend = "an id is compared letter by letter; what was seen of whom, the input topics say"
    return NotReady(f"nothing is known of {user!r}: never seen, or erased", mend)
