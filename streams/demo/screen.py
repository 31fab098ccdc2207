"""The two ways to show the tally: a screen where there is a terminal, else a plain line every few seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

from rich.live import Live

from streams.demo.view import Facts, draw, line

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from streams.demo.tally import Tally

LINE_SECONDS = 3.0


class Display(Protocol):
    """A way to show the tally, as a context; `show` is called several times a second."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def show(self, tally: Tally, state: str, now: float) -> None:
        """Show the tally; `state` says what goes on."""


class Screen:
    """The whole terminal, drawn anew at each `show`; what it showed before comes back at the end."""

    def __init__(self, console: Console, facts: Facts) -> None:
        self._console, self._facts = console, facts
        self._live = Live(console=console, screen=True, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._live.stop()

    def show(self, tally: Tally, state: str, now: float) -> None:
        """Draw the tally."""
        self._live.update(draw(tally, self._facts, state, now, self._console.size), refresh=True)


class Lines:
    """A line now and then, for a log or a pipe."""

    def __init__(self, console: Console, facts: Facts) -> None:
        self._console, self._facts = console, facts
        self._shown: tuple[str, float] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        pass

    def show(self, tally: Tally, state: str, now: float) -> None:
        """Print the tally if the last line is some seconds old or the state has changed."""
        if self._shown and self._shown[0] == state and now - self._shown[1] < LINE_SECONDS:
            return
        self._shown = state, now
        self._console.print(f"{state}: {line(tally, now)}", soft_wrap=True, highlight=False, markup=False)


def choose(console: Console, facts: Facts) -> Display:
    """Return the screen where the console is a terminal that can draw it, else lines."""
    drawable = console.is_terminal and not console.is_dumb_terminal and not console.options.ascii_only
    return Screen(console, facts) if drawable else Lines(console, facts)
