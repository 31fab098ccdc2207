"""Every metric, declared once. Labels are few and bounded: topic, reason, class; never a user."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter("awaken_events_total", "input events folded", ["topic"])
SKIPPED = Counter("awaken_events_skipped_total", "redelivered events that state already knew", ["topic"])
TRANSITIONS = Counter("awaken_transitions_total", "transitions", ["dimension", "to", "cause"])
DEAD_LETTERS = Counter("awaken_dead_letters_total", "records that could not be read", ["topic", "reason"])
DECISIONS = Counter("awaken_decisions_total", "push decisions", ["playbook", "reason"])
TRIAL_USERS = Counter(
    "awaken_trial_users_total", "users whose attribution window is over and counted", ["playbook", "arm"]
)
DELIVERIES = Counter("awaken_deliveries_total", "deliveries that ended", ["channel", "outcome"])
OBJECTIONS = Counter(
    "awaken_push_objections_total", "unsubscriptions and complaints after pushes", ["playbook", "kind"]
)
BUDGET_SPENT = Gauge("awaken_budget_spent", "spent of a budget in its period, in units of the currency", ["budget"])
BUDGET_RESERVED = Gauge(
    "awaken_budget_reserved", "held of a budget for pushes not yet sent, in units of the currency", ["budget"]
)
BREAKER_STOPS = Counter("awaken_breaker_stops_total", "pushes that the breaker has stopped", ["playbook"])
TAGS = Counter("awaken_tags_written_total", "times that a user's tags were written to Redis")
USERS = Gauge("awaken_users", "users by value, of every dimension", ["dimension", "value"])
SOURCE_USERS = Gauge("awaken_source_users", "users by first-touch source, of the largest ten", ["source"])
SOURCE_SHARE = Gauge("awaken_source_share", "share of the largest source among users whose source is known")
SOURCE_CONCENTRATION = Gauge(
    "awaken_source_concentration", "sum of the squared shares of the sources (Herfindahl): 1 is a single source"
)
LAG = Gauge("awaken_lag_events", "input records not yet read", ["topic", "partition"])
PUSH_LAG = Gauge(
    "awaken_push_lag_events",
    "transitions not yet decided about, decisions not yet delivered, either not yet told to Redis",
    ["topic", "partition"],
)
HELD = Gauge("awaken_held_pushes", "pushes that wait for their user's quiet hours to end", ["partition"])
WATERMARK = Gauge("awaken_watermark_delay_seconds", "how far the watermark stands behind the clock", ["partition"])
COMMITS = Histogram(
    "awaken_commit_seconds",
    "time of one commit",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
STEP_CPU = Counter("awaken_step_cpu_seconds_total", "CPU seconds by step of the way", ["step"])
LONGEST_PAUSE = Gauge(
    "awaken_loop_longest_pause_seconds", "longest time for which the event loop stood still since the first event"
)
COMMITTED = Counter("awaken_commit_records_total", "records written by commits", ["topic"])
RECOVERED = Counter("awaken_recovered_rows_total", "rows read back from the changelog")
RECOVERING = Gauge(
    "awaken_recovery_remaining_records", "records of the changelog still to be read back, at most", ["partition"]
)
PARTITIONS = Gauge("awaken_partitions", "partitions held, by state", ["state"])
GATE_VOUCHED = Gauge("awaken_gate_vouched_seconds", "how long ago the time lies through which absence is vouched for")
GATE_STOPPED = Gauge("awaken_gate_stopped", "1 while absence stands still, by the gate or an operator's word")
GATE_STOPS = Counter("awaken_gate_stops_total", "stops that this worker's gate has found", ["reason"])
FIRST_EVENT = Gauge("awaken_first_event_timestamp_seconds", "wall clock at this worker's first event")
LAST_COMMIT = Gauge("awaken_last_commit_timestamp_seconds", "wall clock at the newest commit that wrote anything")
