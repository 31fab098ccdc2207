"""The fleet: workers under a supervisor that starts each again whenever it ends, with whatever code."""

import threading
import time
from pathlib import Path
from typing import NamedTuple

import msgspec

from tests.chaos.worker import ARMED, COMMAND, arm
from tests.end_to_end.worker import Worker

LOOK_SECONDS = 0.02
BACKOFF_SECONDS = (0.1, 2.0)
GRACE_SECONDS = 30
"""Between SIGTERM and SIGKILL, as Kubernetes has it."""
ASKED = {0: "asked to end", -15: "asked to end as it started", -9: "killed"}
EXPECTED = (2, 70)
"""Where the broker is away at the start, or in a commit; of any other end the log is told."""
TAIL_LINES = 80


class Exit(NamedTuple):
    """How a worker ended. `at`: seconds of the monotonic clock; `reason`: the last that it complained of."""

    at: float
    name: str
    code: int
    reason: str
    log: str


class Post:
    """A worker's place: who is there is started again as long as it is `wanted`."""

    def __init__(self, name, settings, folder):
        self.name, self.settings = name, settings
        self.armed = Path(folder) / f"{name}.armed"
        self.worker = None
        self.wanted = False
        self.backoff = BACKOFF_SECONDS[0]
        self.start_at = 0.0


class Fleet:
    """Workers by name; the first is a static member of the group, the others are not."""

    def __init__(self, settings, names, folder, say):
        self.exits = []
        self.forced = 0  # ends by SIGKILL of those that were asked to end
        self._say = say
        instances = [names[0]] + [""] * (len(names) - 1)
        self.posts = {
            name: Post(name, msgspec.structs.replace(settings, instance=instance), folder)
            for name, instance in zip(names, instances, strict=True)
        }
        self._lock = threading.RLock()
        self._over = threading.Event()
        # Children end with the thread that started them: all are started by this one.
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)

    def __enter__(self):
        self._supervisor.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._supervisor.join()

    def start(self, name):
        with self._lock:
            self.posts[name].wanted = True

    def stop(self, name):
        """SIGTERM, and SIGKILL where it does not end in time."""
        post = self.posts[name]
        with self._lock:
            post.wanted = False
            worker = post.worker
        if worker is None:
            return
        worker.terminate()
        if not wait_for(lambda: post.worker is not worker, GRACE_SECONDS):
            self._say(f"{name} did not end within {GRACE_SECONDS} s of SIGTERM:\n{worker.log(TAIL_LINES)}")
            self.forced += 1
            worker.kill()
            wait_for(lambda: post.worker is not worker, GRACE_SECONDS)

    def kill(self, name):
        with self._lock:
            if (worker := self.posts[name].worker) is not None:
                worker.kill()

    def pause(self, name):
        """SIGSTOP; return the worker that sleeps now, to be resumed."""
        with self._lock:
            if (worker := self.posts[name].worker) is not None:
                worker.pause()
            return worker

    def resume(self, name, worker):
        with self._lock:
            if worker is not None and self.posts[name].worker is worker:
                worker.resume()

    def arm(self, name, point, after):
        arm(self.posts[name].armed, point, after)

    def disarm(self, name):
        """Take the trap away; return whether it was still there."""
        try:
            self.posts[name].armed.unlink()
        except FileNotFoundError:
            return False
        return True

    def armed(self, name):
        return self.posts[name].armed.exists()

    def held(self, name):
        """How many partitions a worker says it holds; 0 while it does not answer."""
        worker = self.posts[name].worker
        try:
            return int(worker.held()) if worker is not None and worker.ready() else 0
        except (AssertionError, ValueError):
            return 0

    def wanted(self):
        return [name for name, post in self.posts.items() if post.wanted]

    def logs(self):
        """The ends of the logs of those that are there."""
        with self._lock:
            return {name: post.worker.log(TAIL_LINES) for name, post in self.posts.items() if post.worker}

    def _supervise(self):
        while not self._over.wait(LOOK_SECONDS):
            with self._lock:
                for post in self.posts.values():
                    self._look_after(post)
        for post in self.posts.values():
            if post.worker is not None:
                post.worker.close()

    def _look_after(self, post):
        now = time.monotonic()
        if post.worker is not None and post.worker.exit_code is not None:
            self._note_end(post, now)
        if post.worker is None and post.wanted and now >= post.start_at:
            post.worker = Worker(post.settings, post.name, COMMAND, {ARMED: str(post.armed)})
            post.backoff = min(2 * post.backoff, BACKOFF_SECONDS[1])

    def _note_end(self, post, now):
        worker, post.worker = post.worker, None
        log, code = worker.log(TAIL_LINES), worker.exit_code
        worker.close()
        self.exits.append(Exit(now, post.name, code, ASKED.get(code) or complaint(log), log))
        self._say(f"{post.name} ended with {code}: {self.exits[-1].reason}")
        if code not in (*ASKED, *EXPECTED):
            self._say(log)
        if code in ASKED:
            post.backoff = BACKOFF_SECONDS[0]
        post.start_at = now + post.backoff


def complaint(log):
    """The last line in which a worker complained."""
    lines = log.splitlines()
    for sign in ("awaken:", "ERROR   streams.", " ERROR ", ""):
        if found := [line for line in lines if sign in line]:
            return found[0] if sign else found[-1]
    return ""


def wait_for(condition, seconds):
    """Wait until the condition holds; return whether it did within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_SECONDS)
    return True
