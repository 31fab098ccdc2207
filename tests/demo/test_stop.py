import asyncio
import os
import signal

import pytest

from streams.demo.stop import SIGNALS, Stop


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_asks_and_a_second_one_hurries(number):
    async def run():
        stop = Stop()
        with stop.by_signals():
            os.kill(os.getpid(), number)
            await asyncio.wait_for(stop.asked.wait(), 10)
            assert not stop.hurried.is_set()
            os.kill(os.getpid(), number)
            await asyncio.wait_for(stop.hurried.wait(), 10)

    asyncio.run(run())


def test_afterwards_signals_do_what_they_did():
    before = signal.getsignal(signal.SIGTERM)

    async def run():
        with Stop().by_signals():
            pass

    asyncio.run(run())
    assert signal.getsignal(signal.SIGTERM) == before
