"""A worker as its operator has it: a process, signals, its pages and its log."""

import json
import signal
import sys
import urllib.error
import urllib.request
from collections import Counter

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from streams.ops.child import Child, free_port
from streams.settings import environment

COMMAND = (sys.executable, "-m", "streams.cli", "worker")
PAGE_SECONDS = 2
LOG_LINES = 60


class Worker:
    """`awaken worker` with these settings, on a web port of its own; `command` and `more` (environment) may differ."""

    def __init__(self, settings, name, command=COMMAND, more=()):
        self.name = name
        self.settings = msgspec.structs.replace(settings, web_port=free_port())
        self.expected = True  # to be alive: nobody has ended it
        self._child = Child(name, command, env=environment(self.settings) | dict(more))

    @property
    def pid(self):
        return self._child.pid

    @property
    def exit_code(self):
        return self._child.exit_code

    def kill(self):
        """SIGKILL: it learns nothing and says nothing."""
        self.expected = False
        self._child.kill()

    def pause(self):
        self.expected = False
        self._child.pause()

    def resume(self):
        self._child.resume()

    def terminate(self):
        """SIGTERM: what an orchestrator sends first."""
        self.expected = False
        self._child.signal(signal.SIGTERM)

    def close(self):
        self.expected = False
        self._child.close()

    def log(self, lines=LOG_LINES):
        return self._child.end(lines)

    def page(self, path, posted=None, kind="application/json"):
        """The status and text of one of its pages, to which bytes may be posted; (None, why) while nobody answers."""
        headers = {"Accept": "application/json"} | ({} if posted is None else {"Content-Type": kind})
        asked = urllib.request.Request(f"http://127.0.0.1:{self.settings.web_port}{path}", posted, headers)
        try:
            with urllib.request.urlopen(asked, timeout=PAGE_SECONDS) as answer:  # noqa: S310 (our own)
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return None, repr(error)

    def ready(self):
        return self.page("/health/ready")[0] == 200

    def problems(self, kind="ready"):
        """What a health page complains of."""
        return json.loads(self.page(f"/health/{kind}")[1])["problems"]

    def metric(self, name, **labels):
        """The sum of a metric over the label values that are not given; 0 while there is none."""
        return sum(s.value for s in self.samples() if s.name == name and labels.items() <= s.labels.items())

    def samples(self):
        """Every sample of its /metrics."""
        status, text = self.page("/metrics")
        assert status == 200, f"{self.name}: /metrics: {text}"
        return [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def by(self, name, *labels):
        """A metric's samples that are not 0, by the values of these labels."""
        found = Counter()
        for sample in self.samples():
            if sample.name == name and sample.value:
                found[tuple(sample.labels[label] for label in labels)] += sample.value
        return dict(found)

    def lags(self):
        """What each input partition lags behind, as far as it is known."""
        return [sample.value for sample in self.samples() if sample.name == "awaken_lag_events"]

    def held(self):
        """How many partitions it says that it holds."""
        return self.metric("awaken_partitions", state="held")
