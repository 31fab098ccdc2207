"""The loop's longest pause, as the loop itself sees it."""

import asyncio
import time

from hypothesis import given
from hypothesis import strategies as st

from streams.worker.pause import LOOK_SECONDS, Longest, watch_pauses

PAUSE = 0.1


def test_what_stops_the_loop_is_seen_as_a_pause():
    async def run():
        looked, pauses = asyncio.Event(), []

        def note(pause):
            pauses.append(pause)
            looked.set()

        watching = asyncio.create_task(watch_pauses(note))
        await looked.wait()
        time.sleep(PAUSE)  # noqa: ASYNC251 (what must not happen on a loop is what is looked for)
        looked.clear()
        await looked.wait()
        watching.cancel()
        return pauses

    assert max(asyncio.run(run())) > PAUSE - 2 * LOOK_SECONDS


@given(st.lists(st.floats(-0.01, 10)))
def test_the_longest_is_kept_and_only_what_is_longer_is_news(pauses):
    longest = Longest()
    news = [pause for pause in pauses if longest.note(pause)]
    assert longest.seconds == max([0.0, *pauses])
    assert news == sorted(set(news))
