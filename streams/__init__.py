"""Awaken: a real-time user-operations engine.

A Kafka fetch is a batch, a user is a row, time is a column: Faust moves the batches, one compiled pure function folds
them into the rows, and one Kafka transaction per commit makes it exactly once.

The way of the data, and the order in which to read:

    worker/transport.py     fetch: a message is everything that one fetch brought of one partition
    worker/batch.py         record batches read and written whole
    wire/records.py         … their records ⇄ columns
    wire/varint.py          … and the numbers in them
    wire/block.py           records as columns, with which the hot path works
    wire/event.py           what comes in, as it is declared
    wire/scan.py            one record's JSON, read by compiled code as it is declared
    wire/decode.py          decode: bytes → columns; the bad set aside with a reason
    wire/partitioner.py     where a user's records belong
    merge.py                merge: a partition's topics in order of event time
    index.py                intern: user key → row
    column.py               columns that grow in place
    dictionary.py           … and names of categories and sources → codes
    invitation.py           who names whom as his inviter
    hold.py                 pushes that wait for their time
    tally.py                what users did, summed up
    trial.py                what pushed users did, and those from whom pushes were withheld
    consent.py              where and about what a user may be written to, as his profile and he himself say
    sweep.py                how time comes to users, some at a time
    shard.py                one partition's users, which worker, replay and benchmark drive
    core/row.py             the row, orders and purchases, the event, the move: five layouts
    core/dimension.py       everything that a user can be, each dimension declared once
    core/rules.py           the thresholds as the compiled fold reads them
    core/fold.py            fold and advance: (row, event or time, rules) → row', moves
    core/window.py          rings of days and weeks, sets of active days, inside the row
    core/order.py           a user's orders, each to be found again by its id
    core/purchase.py        … and what he bought by week
    core/activity.py        new, active, dormant, churned, returning: the transition table
    core/value.py           customer class, RFM, bands, coupons
    core/engagement.py      lifecycle stage, rung, attention
    core/growth.py          check-ins, points, membership, early access
    core/level.py           … levels, and who is about to lose his
    core/social.py          influence, content, mood, and the fatigue that pushes leave
    core/habit.py           own gaps, hours, interests, first-touch source
    core/own.py             dimensions of the settings' own
    core/period.py          growth accounting by days, weeks and months
    core/sketch.py          how a population's R, F and M are spread: mergeable, for cuts by mean and median
    core/move.py            how a move is written
    core/hash.py            the hash of keys and order ids
    wire/transition.py      moves → transitions
    wire/literal.py         … numbers, times and texts as JSON, compiled
    wire/message.py         what goes out, as it is declared
    wire/changelog.py       rows, orders and profiles ⇄ bytes
    wire/layout.py          rows as earlier versions wrote them
    wire/schema.py          both as JSON Schema and AsyncAPI
    health.py               the health gate: how far the input vouches for absence
    usual.py                what is usual of a topic, by hour of the week
    worker/partition.py     what a worker holds for one partition: receive, pump, commit
    worker/ledger.py        commit: what follows and how far was read, in one transaction
    worker/request.py       … in requests that are joined once
    worker/recovery.py      a shard read back from its changelog
    worker/flow.py          flow control that throws nothing away
    worker/app.py           the Faust app: partitions opened and closed as the group assigns them
    wire/control.py         what every worker must know alike, as it is declared
    worker/control.py       the log of control as a worker knows it
    worker/watch.py         the one who looks at the input, and writes what the gate says
    worker/freeze.py        cuts of the population, frozen as rules
    worker/census.py        users by value and source, told every second
    worker/step.py          CPU by step of the way
    worker/pause.py         the longest time for which the loop stood still
    warm.py                 everything compiled before it is needed
    worker/warm.py          everything compiled before the group waits for us
    worker/garbage.py       Python's garbage collector, at our own times
    worker/health.py        its pages: is it alive, is it ready
    worker/pages.py         its pages about users: one of them, growth, population, lift
    worker/preview.py       … and what a playbook would send one of them
    worker/watchdog.py      a thread that ends a worker which does not get on, and says why
    worker/ending.py        its exit codes
    worker/referral.py      who brought a user is rewarded at his first order
    worker/calendar.py      pushes of which nobody's act is the reason: a day has come
    worker/standing.py      what a push must know of a user
    worker/patience.py      work that waits for Redis
    worker/spending.py      how the budgets stand
    worker/agents.py        the four agents: fold, decide, deliver, serve
    worker/serve.py         serve: what was told, kept in Redis by user; tags written anew where they are gone
    tags.py                 … his values, as others look them up
    push/trigger.py         which transition asks for a push, by which playbook
    push/charter.py         … what each playbook's pushes go by, worked out once
    push/policy.py          decide: the policy chain, pure
    push/hearing.py         … and a case on its way through it
    push/decider.py         transitions → decisions
    push/rhythm.py          the hours of the day in which a user is here most
    push/quiet.py           quiet hours in the user's own time zone
    push/offers.py          what a decision grants its user, what that costs, what must be counted
    push/validity.py        … when it holds, by his clock
    push/terms.py           … and what it says
    push/voucher.py         codes: made, and checked by a shop
    push/draw.py            the lucky draw, to be drawn again by whoever has its seed
    push/price.py           group buys, bargains, coupons that are earned
    push/gate.py            what was sent and what may be: caps and claims in Redis
    push/account.py         what has a limit for all users together: budgets, stocks, prizes
    push/purse.py           … and never more is spent of it: reserve, commit, release
    push/purse_memory.py    its twin in memory
    push/bill.py            … and what a push charges of it
    push/breaker.py         a playbook that suddenly wants to write to far too many waits for somebody to look
    push/breaker_memory.py  its twin in memory
    push/phase.py           the product's phase, by its weekly active users
    push/deliverer.py       deliver: once per decision and channel
    push/journal.py         what was decided about each user and what became of it, in Redis
    push/reason.py          … and why, in words
    channels/               one file a channel: its options, and how it sends
    preference.py           links by which users say what they want
    worker/preferences.py   … and the page to which they lead
    worker/form.py          … as HTML
    channels/known.py       … all of them, by name
    channels/attempt.py     … retries, pace and breaker, which they share

Beside the way:

    settings.py             every setting, declared once
    playbook.py             … playbooks: when we write to whom, and what
    festival.py             … the days that everybody keeps
    lunar.py                … by the Chinese calendar too
    birthday.py             when users have theirs, and where they live
    occasion.py             where a day begins, and for which playbooks it is the day
    budget.py               … what pushes and offers may cost
    offer.py                … what a message may bring, on which terms
    catalogue.py            … what stands for an interest
    template.py             … and their texts, with variables
    threshold.py            … those by which users are judged, for one kind of user
    refusal.py              … and what of them does not go together
    rule.py                 one kind's thresholds → his RULE
    rulebook.py             settings → rules, as the fold reads them and as the log keeps them
    lift.py                 what pushes bring: two arms compared, at any time
    portrait.py             all that a shard knows of one user, by name
    people.py               … and what it knows of several at a time, as columns
    forecast.py             what will become of him by time alone
    population.py           users by value of every dimension that is kept
    key.py                  the names of our keys in Redis
    script.py               a Lua script on the server
    metrics.py              every metric, declared once
    cli.py                  the command `awaken`
    core/                   pure and compiled: no clock, no I/O, no framework
    wire/                   bytes ⇄ values
    worker/                 the only room that knows Faust
    push/                   from a transition to a delivered push
    replay/                 files of events through the same shard, without Kafka: who would have moved
    ops/                    topics, doctor, bench, why, preview, growth, lift, a real Kafka to develop with
    demo/                   real orders, embedded servers, the live view

Dependencies point inwards: cli > demo > ops > worker, replay > push > shard, merge, health > wire > core; settings and
channels stand beside them.
"""

__version__ = "0.1.0"
