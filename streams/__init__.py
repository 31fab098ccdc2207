"""Awaken: a real-time user-operations engine.

A Kafka fetch is a batch, a user is a row, time is a column: Faust moves the batches, one compiled pure function folds
them into the rows, and one Kafka transaction per commit makes it exactly once.

The way of the data, and the order in which to read:

    worker/transport.py     fetch: a message is everything that one fetch brought of one partition
    wire/event.py           what comes in, as it is declared
    wire/decode.py          decode: bytes → columns; the bad set aside with a reason
    merge.py                merge: a partition's topics in order of event time
    shard.py                intern: user → row; one partition's users, which worker, replay and benchmark drive
    core/row.py             the row, the event, the move: three layouts
    core/activity.py        the transition table of new, active, dormant, churned, returning
    core/fold.py            fold and advance: (row, event or time, rules) → row', moves
    core/window.py          rings of days and weeks inside the row
    wire/transition.py      moves → transitions
    wire/message.py         what goes out, as it is declared
    wire/changelog.py       rows ⇄ bytes
    worker/partition.py     what a worker holds for one partition: receive, pump, commit
    worker/ledger.py        commit: what follows and how far was read, in one transaction
    worker/recovery.py      a shard read back from its changelog
    worker/app.py           the Faust app: partitions opened and closed as the group assigns them
    worker/garbage.py       Python's garbage collector, at our own times
    worker/agents.py        the three agents: fold, decide, deliver
    push/playbook.py        which transition asks for a push
    push/policy.py          decide: the policy chain, pure
    push/decider.py         transitions → decisions
    push/gate.py            what was sent and what may be: caps and claims in Redis
    push/deliverer.py       deliver: once per decision and channel
    push/channels/          one file a channel

Beside the way:

    settings.py             every setting, declared once
    metrics.py              every metric, declared once
    cli.py                  the command `awaken`
    core/                   pure and compiled: no clock, no I/O, no framework
    wire/                   bytes ⇄ values
    worker/                 the only room that knows Faust
    push/                   from a transition to a delivered push
    ops/                    topics, doctor, bench, a real Kafka to develop with
    demo/                   real orders, embedded servers, the live view

Dependencies point inwards: cli > demo > ops > worker > push > shard, merge > wire > core.
"""

__version__ = "0.1.0"
