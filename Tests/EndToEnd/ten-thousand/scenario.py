"""Ten thousand phones fall silent, and the table empties itself on time."""

import bisect
import time

from harness.suite import eventually, expect, expect_equal, scenario

CALLS = 10_000
INTERVAL = 90.0


@scenario("10,000 dialogs of 90 s are each gone within 1 s of their expiration", slow=True)
def reclaimed(stage):
    """A86, A87, A88, A89, F35: the count never falls before, and never lags more than a second behind."""
    proxy = stage.proxy()
    caller = stage.sipp("caller", "uac.xml", calls=CALLS, rate=500, timeout=120, trace=False)
    callee = stage.sipp("callee", "uas.xml", calls=CALLS, timeout=120, trace=False)
    callee.start()
    caller.start(proxy.address, callee.address)
    rise = []  # (when, count), each read between two looks at the clock
    while not rise or (rise[-1][1] < CALLS and caller.process.poll() is None):
        asked = time.monotonic()
        count = proxy.counts()["active"]
        rise.append((asked, count))
        time.sleep(0.05)
    caller.wait()
    callee.wait()
    expect_equal(proxy.count(), CALLS, "dialogs set up")
    times = [when for when, _ in rise]

    def confirmed(when):
        """At least this many dialogs were confirmed at `when`."""
        position = bisect.bisect_right(times, when) - 1
        return 0 if position < 0 else rise[position][1]

    def confirmed_at_most(when):
        position = bisect.bisect_left(times, when)
        return CALLS if position >= len(rise) else rise[position][1]

    slack = 0.25  # what the reading of a count may take on a busy machine
    while True:
        asked = time.monotonic()
        count = proxy.counts()["active"]
        answered = time.monotonic()
        still_alive = CALLS - confirmed_at_most(answered - INTERVAL + slack)
        expired_long_ago = confirmed(asked - INTERVAL - 1.0 - slack)
        expect(count >= still_alive, f"{count} dialogs, but {still_alive} have not expired yet")
        expect(count <= CALLS - expired_long_ago, f"{count} dialogs, yet {expired_long_ago} expired over 1 s ago")
        if asked > times[-1] + INTERVAL + 1.0 + slack:
            break
        time.sleep(0.2)
    expect_equal(proxy.count(), 0, "dialogs a second after the last expiration")
    eventually(proxy.counts, lambda c: c == {"active": 0, "early": 0, "timed": 0, "untimed": 0}, "counters")
