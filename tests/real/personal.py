"""Is a user's own rhythm worth it? Earlier detection at equal false alarms, on Complete Journey (MISSION's row C4).

`python -m tests.real.personal` prints the table. A threshold is chosen on the first half of 2017 for a tolerated rate
of false alarms and tried on the second. A false alarm is a silence that outlasted its threshold and then ended; its
rate is each user's share of such silences, averaged over users. Detection is how long after his last order a user who
is gone is found silent: the threshold then in force.

Two kinds of gone: every user, were he to stop after any of his orders of the second half (averaged by user); and those
who ordered in the second half but not in its last 60 days.

What was found stands in README.md.
"""

import numpy as np
import pandas as pd

from streams.core.row import DAY
from tests.real.orders import complete_journey, ms

FIRST, SECOND, END = ms("2017-01-01"), ms("2017-07-01"), ms("2018-01-01")
GONE_DAYS = 60
RATES = (0.02, 0.05, 0.1, 0.2, 0.3)
PRIORS = (0, 1, 2, 4, 8, 16)
FLOOR, CEILING = 0.0, 3650.0


def silences(orders):
    """Each silence after an active day (user, at, days, ended; n and total: own gaps before it, sum of their logs).

    `at` is the last act of the day, `days` how long until the next act, to the end of the year where there is none.
    The gaps learnt from are those between active days, as the engine takes them.
    """
    days = orders.groupby(["user", "day"])["at"].agg(["min", "max"]).reset_index()
    of = days.groupby("user")
    upcoming, gap = of["min"].shift(-1), of["day"].diff().dt.days
    log = np.log(gap).fillna(0)
    return pd.DataFrame(
        {
            "user": days["user"],
            "at": days["max"],
            "days": (upcoming.fillna(END) - days["max"]) / DAY,
            "ended": upcoming.notna(),
            "ended_at": upcoming.fillna(END),
            "n": of.cumcount(),
            "total": log.groupby(days["user"]).cumsum(),
        }
    )


def usual(known):
    """The user's rhythm (days), everybody's gap counting as many gaps of his own as `prior`: LIFECYCLE §5, c = 0."""
    everybody = population_log(known)
    return lambda told, prior: np.exp((told["total"] + prior * everybody) / (told["n"] + prior))


def population_log(known):
    """The mean log gap, each user counting once."""
    last = known.groupby("user").tail(1)
    last = last[last["n"] > 0]
    return (last["total"] / last["n"]).mean()


def false_alarms(told, threshold):
    """The share of each user's ended silences that outlasted the threshold, averaged over users."""
    ended = told["ended"]
    return (told["days"] > threshold)[ended].groupby(told["user"][ended]).mean().mean()


def factor(told, rhythm, rate):
    """The least factor of the rhythm at which false alarms are no more frequent than `rate`."""
    ended = told["ended"]
    user = told["user"][ended]
    weight = 1 / user.map(user.value_counts()) / user.nunique()
    ratio = (told["days"] / np.maximum(rhythm, 1e-9))[ended]
    order = np.argsort(-ratio.to_numpy(), kind="stable")
    over = np.cumsum(weight.to_numpy()[order])
    return float(ratio.to_numpy()[order][np.searchsorted(over, rate)])


def delays(told, threshold):
    """The mean days until detection: of every user, stopping after any of his orders; of those who are gone."""
    threshold = pd.Series(threshold, index=told.index)
    gone = ~told["ended"] & (told["days"] >= GONE_DAYS)
    return threshold.groupby(told["user"]).mean().mean(), threshold[gone].mean(), int(gone.sum())


def trial(orders, rate, prior):
    """One row of the table: personal and fixed, chosen on the first half, tried on the second."""
    told = silences(orders)
    first, second = told[told["ended_at"] < SECOND], told[told["at"] >= SECOND]
    own = usual(told[told["at"] < SECOND])
    margin = factor(first, own(first, prior), rate)
    fixed = factor(first, pd.Series(1.0, index=first.index), rate)
    personal = own(second, prior) * margin
    alarms = false_alarms(second, personal)
    equal = factor(second, pd.Series(1.0, index=second.index), alarms)
    any_own, gone_own, gone = delays(second, personal)
    any_fixed, gone_fixed, _ = delays(second, fixed)
    return {
        "rate": rate, "prior": prior, "margin": margin, "fixed": fixed,
        "alarms": alarms, "fixed_alarms": false_alarms(second, fixed), "equal": equal,
        "any": any_own, "any_fixed": any_fixed, "gone": gone_own, "gone_fixed": gone_fixed, "gone_users": gone,
    }  # fmt: skip
