"""From a transition to a message: playbook → candidate → policy chain → decision → delivery → outcome.

Read in this order: `trigger` (which transitions are candidates, and what they would say), `policy` (the chain
of rules, pure), `hearing` (a case on its way through it), `charter` (what the settings mean for it), `gate`,
`purse` and `breaker` (what must be remembered: of a user, of all users together, of a playbook's hours; each in
Redis with a twin in memory), `decider` (leads a batch through, and asks each of them once), `deliverer` (once
per decision and channel, through any crash), and beside them `offers` with what belongs to them; how each
channel sends stands in `streams/channels/`.

This room knows neither Kafka nor Faust and has no clock of its own: the caller reads transitions, writes
decisions and outcomes in its transactions, counts them, and hands in the time.
"""
