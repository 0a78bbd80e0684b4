"""A hundred thousand mutated datagrams: nothing crashes, nothing is kept, calls still work."""

import sys
import time
from pathlib import Path

from harness.call import Call
from harness.suite import expect, expect_equal, scenario

sys.path.insert(0, str(Path(__file__).parent))
from mutations import HOME, datagrams  # noqa: E402

COUNT = 100_000
PER_SECOND = 4_000
SETTLE = 40


def flood(stage, proxy, seed):
    """Sends one round, reads away whatever comes back."""
    attacker, victim = stage.user_agent("attacker", HOME), stage.user_agent("victim", HOME)
    values = {
        b"self": attacker.hostport.encode(), b"peer": victim.hostport.encode(), b"proxy": proxy.hostport.encode()}
    started = time.monotonic()
    for agent in (attacker, victim):
        agent.socket.setblocking(False)
    for number, datagram in enumerate(datagrams(seed, COUNT, values)):
        attacker.socket.sendto(datagram, proxy.address)
        if number % 50 == 0:
            for agent in (attacker, victim):
                drain(agent)
            time.sleep(max(0.0, started + number / PER_SECOND - time.monotonic()))
    attacker.close()
    victim.close()


def drain(agent):
    while True:
        try:
            agent.socket.recv(65535)
        except (BlockingIOError, ConnectionRefusedError):
            return


@scenario("100,000 mutated datagrams leave a working proxy and no memory behind", slow=True)
def mutated(stage):
    """B9, B10, E20, E42, G10: after each round a call works; its memory grows by at most a tenth from round to round."""
    proxy = stage.proxy(host=HOME)
    sizes = []
    for seed in (4028, 4028):
        flood(stage, proxy, seed)
        expect(proxy.is_running, f"the proxy died: {proxy.tail()}")
        call = Call(proxy, stage.user_agent("caller", HOME), stage.user_agent("callee", HOME)).set_up()
        call.refresh("UPDATE", headers=["Supported: timer", "Session-Expires: 1800"])
        call.hang_up()
        time.sleep(SETTLE)
        sizes.append(proxy.private_memory())
    expect(sizes[1] <= 1.1 * sizes[0], f"{sizes[0]} KiB after the first round, {sizes[1]} after the same again")
    expect_equal(proxy.counts(), {"active": 0, "early": 0, "timed": 0, "untimed": 0}, "counters after all that")
