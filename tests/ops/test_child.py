import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from streams.ops.admin import accepts
from streams.ops.child import PORTS, Child, ServerFailed, free_port

IDLE = "import sys, threading; print('up', flush=True); threading.Event().wait()"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {IDLE}"
PARENT = f"""
import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", {IDLE!r}]).pid, flush=True)
{IDLE}
"""


@pytest.fixture
def child():
    made = []

    def start(code, **options):
        made.append(Child("the thing", [sys.executable, "-c", code], **options))
        return made[-1]

    yield start
    for one in made:
        one.close()


def up(one):
    return lambda: "up" in one.end()


def test_it_runs_in_a_session_of_its_own(child):
    one = child(IDLE)
    one.await_ready(up(one), 20)
    assert os.getsid(one.pid) == one.pid != os.getsid(0)


def test_stop_asks_and_kill_does_not(child):
    polite, stubborn = child(IDLE), child(STUBBORN)
    for one in (polite, stubborn):
        one.await_ready(up(one), 20)
    polite.stop(20)
    assert polite.exit_code == -signal.SIGTERM
    stubborn.stop(0.1)
    assert stubborn.exit_code == -signal.SIGKILL
    polite.stop(1)  # a second time is no error
    stubborn.signal(signal.SIGTERM)


def test_its_own_children_go_with_it(child, eventually):
    one = child(PARENT)
    one.await_ready(lambda: one.end().count("up") == 2, 20)
    grandchild = int(next(line for line in one.end().splitlines() if line.isdigit()))
    one.kill()

    def gone():
        try:
            return Path(f"/proc/{grandchild}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except FileNotFoundError:
            return True

    eventually(gone)


def test_one_that_ends_at_once_is_told_with_its_log(child):
    one = child("print('a very good reason'); raise SystemExit(5)")
    with pytest.raises(ServerFailed, match=r"the thing ended as it started \(exit 5\):\na very good reason"):
        one.await_ready(lambda: False, 20)


def test_one_that_never_answers_is_killed(child):
    one = child(IDLE)
    one.await_ready(up(one), 20)
    with pytest.raises(ServerFailed, match=r"the thing did not answer within 0\.1 seconds:\nup"):
        one.await_ready(lambda: False, 0.1)
    assert not one.alive


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux pins processes")
def test_it_stays_on_its_core(child):
    core = min(os.sched_getaffinity(0))
    one = child(IDLE, cpu=core)
    one.await_ready(up(one), 20)
    assert os.sched_getaffinity(one.pid) == {core}


def test_a_free_port_is_below_the_ephemeral_ones_and_nobodys():
    port = free_port()
    assert port in PORTS
    assert not accepts("127.0.0.1", port)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        assert accepts("127.0.0.1", port)
