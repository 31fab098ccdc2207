"""The wish to stop: asked once, let what is under way end; asked again, at once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """Two events: `asked`, and `hurried` for who asks again."""

    def __init__(self) -> None:
        self.asked, self.hurried = asyncio.Event(), asyncio.Event()

    def ask(self) -> None:
        """Ask for the end."""
        (self.hurried if self.asked.is_set() else self.asked).set()

    @contextlib.contextmanager
    def by_signals(self) -> Iterator[None]:
        """Take Ctrl-C, SIGTERM and a terminal that is closed for asking."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.ask)
        try:
            yield
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)
