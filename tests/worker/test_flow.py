"""What has come into an agent's queue stays there until it is taken, or the flow is really stopped."""

import asyncio

from mode.utils.queues import FlowControlEvent, FlowControlQueue

from streams.worker.app import Awaken
from streams.worker.flow import FlowControl


def left_after(flow, *, stopped):
    """How many chunks a queue still holds when the flow is resumed once more, after it was stopped or not."""

    async def play():
        queue = FlowControlQueue(flow_control=flow, clear_on_resume=True)
        flow.resume()
        queue.put_nowait("a chunk")
        if stopped:
            flow.suspend()
        flow.resume()
        return queue.qsize()

    return asyncio.run(play())


def test_resumed_twice_nothing_is_thrown_away():
    assert left_after(FlowControl(), stopped=False) == 1
    assert left_after(FlowControlEvent(), stopped=False) == 0, "Faust's own has learnt it: this class can go"


def test_once_it_was_stopped_what_is_left_is_of_an_assignment_that_is_over():
    assert left_after(FlowControl(), stopped=True) == 0


def test_the_app_has_it(names):
    app = Awaken(names.settings())
    assert isinstance(app.flow_control, FlowControl)
