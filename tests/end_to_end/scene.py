"""A scene: one deployment of Awaken on a broker that others share, its workers, and what it has written so far.

Every wait has a deadline and says what it waited for; a worker that ends unasked ends the wait.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import msgspec

from streams.channels import webhook
from streams.channels.known import Channels
from streams.ops import topics
from streams.ops.admin import connect
from streams.settings import Gate, Playbook
from streams.wire.block import Pairs
from streams.wire.changelog import ASIDE, decode_rows
from streams.wire.message import read_decision, read_outcome, read_transition
from tests.end_to_end import history, topic
from tests.end_to_end.history import Row
from tests.end_to_end.worker import Worker

PARTITIONS = 3
SESSION_SECONDS = 3
WAIT_SECONDS = 60
STOP_SECONDS = 15
POLL_SECONDS = 0.02
DAY_SECONDS = 0.1
ACTIVITY = "activity"
"""The dimension that the oracle knows."""


class Scene:
    """A deployment with its own topics, group and workers; `changes` are settings."""

    def __init__(self, names, receiver, **changes):
        self.receiver = receiver
        self.settings = names.settings(
            **{
                "partitions": PARTITIONS,
                "clock": "event",
                "lateness_seconds": 0,
                "dimensions": ("activity",),
                "session_seconds": SESSION_SECONDS,
                "commit_seconds": 0.05,
                "channels": Channels(webhook=webhook.Options(receiver.url)),
                "playbooks": {"reactivation": Playbook()},
                "gate": Gate(enabled=False),
            }
            | changes
        )
        self.workers = []
        self.ends = {}  # (topic, partition) → the offset after the newest record that we wrote
        self._fed = []
        self._stack = ExitStack()

    def be_patient(self, seconds, **push):
        """Give the webhook so long for an answer, and ask it once only."""
        hook = msgspec.structs.replace(self.settings.channels.webhook, timeout_seconds=seconds, attempts=1)
        channels = msgspec.structs.replace(self.settings.channels, webhook=hook)
        push = msgspec.structs.replace(self.settings.push, **push)
        self.settings = msgspec.structs.replace(self.settings, channels=channels, push=push)

    def __enter__(self):
        self._feeder = self._stack.enter_context(ThreadPoolExecutor(1))
        topics.create(self.settings)
        return self

    def __exit__(self, *_):
        for worker in self.workers:
            worker.close()
        self._stack.close()
        with connect(self.settings.kafka) as admin:
            admin.delete_topics([spec.name for spec in topics.plan(self.settings)])

    def start(self, name="worker", **changes):
        """Start a worker, and do not wait for it."""
        worker = Worker(msgspec.structs.replace(self.settings, **changes), name)
        self.workers.append(worker)
        return worker

    def start_ready(self, name="worker", **changes):
        worker = self.start(name, **changes)
        self.wait(f"{name} to be ready", worker.ready)
        return worker

    def stop(self, worker):
        """Ask a worker to end; it must, in good order and soon."""
        worker.terminate()
        self.wait(f"{worker.name} to end after SIGTERM", lambda: worker.exit_code is not None, STOP_SECONDS)
        assert worker.exit_code == 0, f"{worker.name} ended with {worker.exit_code}"

    def write(self, events, pause_seconds=0):
        """Write a history's events, day by day, with a pause after each."""
        self.write_records([topic.encode(event, self.settings.topics) for event in events], pause_seconds)

    def feed(self, events):
        """Write while the test goes on: a day every tenth of a second, after what was fed before."""
        self._fed.append(self._feeder.submit(self.write, events, DAY_SECONDS))

    def write_records(self, records, pause_seconds=0):
        """Write records (topic, key, value, at, headers); return where each of them stands now."""
        places = topic.write(self.settings.kafka, records, pause_seconds)
        for place in places:
            tp = place.topic, place.partition
            self.ends[tp] = max(place.offset + 1, self.ends.get(tp, 0))
        return places

    def wait(self, what, condition, seconds=WAIT_SECONDS):
        """Return the condition's first true value.

        Raises:
            AssertionError: it was not true within `seconds`, or a worker ended unasked.
        """
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            ended = [w.name for w in self.workers if w.expected and w.exit_code is not None]
            assert not ended, f"waiting for {what}: {', '.join(ended)} ended unasked"
            assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}; the last answer was {value!r}"
            time.sleep(POLL_SECONDS)
        return value

    def reset(self):
        """Set the group's offsets back to the beginning of every topic, as `--reset-offsets --to-earliest` would."""
        with connect(self.settings.kafka) as admin:
            admin.delete_groups([self.settings.group])

    def lose(self, name):
        """Delete a topic with all that it holds, and let it be created anew."""
        with connect(self.settings.kafka) as admin:
            admin.delete_topics([name])
            self.wait(f"{name} to be gone", lambda: name not in admin.list_topics())
        topics.create(self.settings)

    def await_more(self, more):
        """Wait until so many transitions more are told than there are now."""
        seen = self.told()
        self.wait(f"{more} transitions after {seen}", lambda: self.told() >= seen + more)

    def await_fed(self):
        """Wait until everything is written that was to be fed."""
        while self._fed:
            self._fed.pop(0).result(WAIT_SECONDS)

    def folded(self):
        """Whether all that we have written so far is folded and committed."""
        return self._reached(self.ends)

    def await_folded(self):
        """Wait until everything that we wrote is folded and committed, with what followed from it."""
        self.await_fed()
        self.wait("all input to be committed", self.folded)

    def await_pushed(self):
        """Wait until everything is folded, decided about, delivered and committed."""
        self.await_folded()
        names = self.settings.topics
        for name, what in ((names.lifecycle_transitions, "decided about"), (names.push_decisions, "delivered")):
            ends = {(name, r.partition): r.offset + 1 for r in self.records(name)}
            self.wait(f"all of {name} to be {what}", partial(self._reached, ends))

    def _reached(self, ends):
        committed = topic.committed(self.settings.kafka, self.settings.group, ends)
        return all(committed[tp] >= end for tp, end in ends.items())

    def records(self, name, *, settled=True):
        """All committed records of a topic (`topic.read`)."""
        return topic.read(self.settings.kafka, name, PARTITIONS, settled=settled)

    def told(self):
        """How many transitions of the activity class there are by now; a killed worker may have left some undecided."""
        return len(rows(self._transitions(self.settings.topics.lifecycle_transitions, settled=False)))

    def transitions(self):
        """All transitions of every dimension, as envelopes, in the order of their topics."""
        names = self.settings.topics
        told = [getattr(names, field) for field in names.__struct_fields__ if field.endswith("_transitions")]
        return [envelope for name in told for envelope in self._transitions(name)]

    def _transitions(self, name, **options):
        return [read_transition(record.value) for record in self.records(name, **options)]

    def decisions(self):
        return [read_decision(r.value).data for r in self.records(self.settings.topics.push_decisions)]

    def outcomes(self):
        return [read_outcome(r.value).data for r in self.records(self.settings.topics.push_outcomes)]

    def changelog(self):
        return self.records(topics.changelog(self.settings))

    def users(self):
        """Each user's newest row in the changelog, by user."""
        newest = {record.key: record.value for record in self.changelog() if not record.key.startswith(ASIDE)}
        known = {key.decode(): value for key, value in newest.items() if value is not None}
        pairs = Pairs.of((None, value) for value in known.values())
        return dict(zip(known, decode_rows(pairs.data, pairs.values).rows, strict=True))

    def control(self):
        """All records of `control`, which has one partition."""
        return topic.read(self.settings.kafka, self.settings.topics.control, 1)

    def dead_letters(self):
        return self.records(self.settings.topics.dead_letters)


def rows(transitions):
    """Transitions of the activity class as the oracle tells them, sorted."""
    told = [(envelope.subject, envelope.data) for envelope in transitions if envelope.data.dimension == ACTIVITY]
    return sorted(Row(user, data.from_, data.to, data.at, data.cause) for user, data in told)


def expected(events, **options):
    return history.expected(events, PARTITIONS, **options)
