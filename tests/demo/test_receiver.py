import asyncio

from aiohttp import ClientSession

from streams.demo.receiver import Receiver
from streams.demo.tally import Tally


def test_it_takes_every_push_and_counts_each_once():
    tally = Tally(0.0)

    async def push():
        async with Receiver(tally) as receiver, ClientSession() as session:
            for key in ("d1", "d2", "d1"):
                headers = {"Idempotency-Key": key}
                async with session.post(receiver.url, json={"title": "We miss you"}, headers=headers) as answer:
                    assert answer.status == 200

    asyncio.run(push())
    assert tally.received == 2
