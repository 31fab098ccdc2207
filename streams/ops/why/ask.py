"""A user's pages asked of running workers: one of them holds his partition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streams.ops import NotReady
from streams.ops.page import Page, Silent, escaped, get

FOUND, REFUSED = 200, 400


def ask(urls: Sequence[str], user: str, page: str = "", body: bytes | None = None) -> dict[str, Any]:
    """Return what the worker that holds a user's partition tells of him; of a `page` of his, to which `body` is posted.

    Raises:
        NotReady: nothing is known of him, what is asked cannot be, or no worker that was asked holds his partition; it
            says what each answered.
    """
    silent: list[str] = []
    answers: list[Page] = []
    for url in urls:
        try:
            answer = get(url, f"/users/{escaped(user)}{page}", body=body)
        except Silent as error:
            silent.append(error.detail)
            continue
        if answer.status == FOUND:
            return dict(answer.body)
        if answer.status == REFUSED:
            raise NotReady(f"{url}: {answer.body['error']}")
        answers.append(answer)
    resort = "" if page else "; or do without: --topics"
    if len(silent) == len(urls):
        raise Silent("\n".join(silent), f"start a worker: awaken worker; or name one: --url{resort}")
    if any(answer.body.get("held") for answer in answers):
        raise unknown(user)
    said = [f"{answer.url}: {answer.body['error']}" for answer in answers]
    raise NotReady(
        "\n".join([f"no worker that was asked holds the partition of {user!r}", *said, *silent]),
        f"name the others too, each with --url{resort}",
    )


def unknown(user: str) -> NotReady:
    """Return the answer about somebody of whom nothing is known."""
    mend = "an id is compared letter by letter; what was seen of whom, the input topics say"
    return NotReady(f"nothing is known of {user!r}: never seen, or erased", mend)
