"""Faults without end, and nothing lost or twice: `python -m tests.chaos --faults N --seed S [--without KIND] [--json]`.

A deployment on a real Kafka of its own is fed a history while workers, Kafka and Redis are killed, stopped, emptied and
filled up, as a plan says that follows from the seed. In the end everything that was written is compared with what the
batch oracle says of the input. Exit code 1: something was lost, came twice, or did not recover.

What Redis is promised to know, and what is promised when it forgets (FLUSHALL, or a Redis without its disk):

    transitions, rows          untouched: Redis has no part in them
    decisions                  once per id: they stand in Kafka with the offset of their transition
    outcomes                   once per id and channel, likewise
    posts to the webhook       at least once, always with the same key and content: what was under way when a worker
                               died is sent again; so is, once Redis has forgotten that it was done, what was sent and
                               not yet committed. Who honours the key takes each once
    inbox messages             those that Redis held are gone for good, those sent later are there, each once
    caps, budgets, offers      begin anew: what was sent before does not count any more. What one Redis has counted,
                               from one emptying to the next, is never exceeded, and its purses say what was spent. What
                               was promised before an emptying and finds no room after it is cancelled
    offsets set back by hand   must not be combined with an emptied Redis: only the gate, and the age of a transition
                               (`historic_hours`), would keep old decisions from being taken anew
"""

import argparse
import logging
import signal
import sys
from functools import partial

from tests.chaos.plan import SHARES
from tests.chaos.report import as_json, as_table
from tests.chaos.run import play


def main():
    """Play the plan of a seed, print what came of it, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=main.__doc__)
    parser.add_argument("--faults", type=int, default=20, help="how many (default: 20; a run takes some 10 s each)")
    parser.add_argument("--seed", type=int, default=1, help="the plan and the history follow from it (default: 1)")
    parser.add_argument("--outage", type=float, default=30.0, help="the longest outage in seconds (default: 30)")
    parser.add_argument("--without", action="append", default=[], choices=SHARES, metavar="KIND",
                        help=f"leave a kind of fault out: {', '.join(SHARES)}")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead of the tables")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started and mounted goes with us
    logging.disable(logging.CRITICAL)  # our own clients complain of a broker that is away, as they should
    say = partial(print, file=sys.stderr, flush=True)
    run = play(chosen.faults, chosen.seed, chosen.outage, say, chosen.without)
    if chosen.json:
        print(as_json(run))
    else:
        as_table(run)
    return 0 if run.whole else 1


if __name__ == "__main__":
    sys.exit(main())
