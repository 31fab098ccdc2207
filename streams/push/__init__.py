"""From a transition to a message: playbook → candidate → policy chain → decision → delivery → outcome.

Read in this order: `trigger` (which transitions are candidates), `policy` (the chain of rules, pure), `offers`
(what a decision grants its user), `gate` (what the chain must remember, in Redis), `decider` (runs the chain over a
batch), `deliverer` (once per decision and channel, through any crash), `channels/` (one file each).

This room knows neither Kafka nor Faust and has no clock of its own: the caller reads transitions, writes
decisions and outcomes in its transactions, counts them, and hands in the time.
"""
