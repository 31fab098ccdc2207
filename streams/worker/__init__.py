"""The worker: the only room that knows Faust. Read app, transport, partition, ledger, recovery, agents, health."""

import os

os.environ.setdefault("FAUST_LOOP", "uvloop")  # Faust reads it when it is first imported
