"""Several workers: a call belongs to one of them, wherever its messages arrive."""

import signal
import time

from harness.call import Call
from harness.sipp import run_pair
from harness.suite import eventually, expect, expect_equal, scenario
from harness.tls import secure_agent, secure_proxy
from harness.wire import Message

TIMER = ["Supported: timer", "Session-Expires: 1800"]
AGREED = ["Session-Expires: 1800;refresher=uac", "Require: timer"]


def counters(proxy):
    return proxy.get_json("/stats")["counters"]


def owners(proxy, workers):
    """Which workers have dialogs at the moment."""
    dialogs = proxy.get_json("/dialogs?limit=1000")["dialogs"]
    return {(int(dialog["id"]) >> 32) % workers for dialog in dialogs}


def listens(peer, mode):
    """Whether a sipp process has its socket."""
    with open("/proc/net/udp" if mode == "u1" else "/proc/net/tcp", encoding="ascii") as table:
        return any(line.split()[1].endswith(f":{peer.port:04X}") for line in table.readlines()[1:])


def sipp_calls(stage, workers, mode, calls=200):
    proxy = stage.proxy("--workers", str(workers), transports=("udp", "tcp"))
    side = "u1" if mode == "u1" else "t1"
    caller = stage.sipp("caller", "../plain-call/uac.xml", calls=calls, rate=100, trace=False, transport=mode)
    callee = stage.sipp("callee", "../plain-call/uas.xml", calls=calls, trace=False, transport=side)
    callee.start()
    # A port where nobody is yet would be told by ICMP, and the first call be refused.
    eventually(lambda: listens(callee, mode), bool, "the callee's socket", within=10)
    caller.start(proxy.address, callee.address)
    eventually(lambda: owners(proxy, workers), lambda o: o == set(range(workers)), "workers that have calls", within=5)
    caller.wait()
    callee.wait()
    eventually(proxy.count, lambda n: n == 0, "dialogs after every BYE")
    found = counters(proxy)
    expect_equal(found["dialogs_confirmed"], calls, "calls counted")
    expect_equal(found["dropped_hand_over"], 0, "messages dropped between workers")
    expect(found["messages_handed_over"] > calls, f"{found['messages_handed_over']} messages handed over")


@scenario("calls of one sipp over UDP are spread over 2 and over 4 workers, and none fails")
def datagrams(stage):
    """A5, B49, F4, F22, F35: two sources are enough for all workers."""
    for workers in (2, 4):
        sipp_calls(stage, workers, "u1")


@scenario("calls of one sipp over one TCP connection are spread over 2 and over 4 workers, and none fails")
def one_connection(stage):
    """D17, D72, F22: answers find the connection, whose worker is another one."""
    for workers in (2, 4):
        sipp_calls(stage, workers, "t1")


@scenario("calls over a TCP connection each are spread over 4 workers, and none fails")
def many_connections(stage):
    """D17, D72, F22."""
    sipp_calls(stage, 4, "tn")


@scenario("100 in-dialog requests in a row arrive in their order, in each of four calls at once")
def order(stage):
    """B1: with rising CSeq numbers, which a user agent refuses when they come late."""
    proxy = stage.proxy("--workers", "4")
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    calls = [Call(proxy, caller, callee).set_up() for _ in range(4)]
    seen = {call.call_id: [] for call in calls}
    for burst in range(1, 6):  # no more at once than the callee's socket has room for
        for _ in range(20):
            for call in calls:
                call.in_dialog("INFO", "caller")
        while sum(map(len, seen.values())) < burst * 80:
            request = callee.request("INFO")
            number = int(request.get("CSeq").split()[0])
            if number not in seen[request.get("Call-ID")]:  # a repeated one may come late
                seen[request.get("Call-ID")].append(number)
            callee.answer(request, 200, "OK")
    for numbers in seen.values():
        expect_equal(numbers, sorted(numbers), "CSeq numbers in the order of arrival")
        expect_equal(len(numbers), 100, "requests that arrived")
    expect(counters(proxy)["messages_handed_over"] > 200, "calls of other workers than the one that got them")


@scenario("calls over TLS are refreshed and hung up by both sides at 4 workers, also after new files")
def secure(stage):
    """D41, D72, G36: eight calls over one connection of the caller."""
    authority = stage.authority()
    proxy, _ = secure_proxy(stage, authority, "--workers", "4")
    caller, callee = (secure_agent(stage, name, authority) for name in ("caller", "callee"))
    for number in range(8):
        call = Call(proxy.over("tls"), caller, callee).set_up(TIMER, AGREED, ring=True)
        for side in ("caller", "callee"):
            for method in ("INVITE", "UPDATE"):
                _, response = call.refresh(method, side, TIMER, AGREED)
                expect_equal(response.status, 200, f"{method} of the {side}")
        call.hang_up("caller" if number % 2 else "callee")
        eventually(proxy.count, lambda n: n == 0, "dialogs after the BYE")
        if number == 3:
            proxy.process.send_signal(signal.SIGHUP)
    expect_equal([one.opened for one in caller.connections], [True], "the caller's connections: its own")
    opened = [one.opened for one in callee.connections].count(False)
    expect(1 <= opened <= 4, f"{opened} connections to the callee: each worker opens one at most")


@scenario("dialogs, why and the counts tell of all workers")
def queries(stage):
    """F1, F2: pages go through all tables, and show each dialog once."""
    proxy = stage.proxy("--workers", "4")
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    calls = [Call(proxy, caller, callee).set_up(TIMER, AGREED) for _ in range(10)]
    expect_equal(proxy.count(), 10, "calls that are up")
    shown, cursor = [], ""
    while cursor is not None:
        page = proxy.get_json(f"/dialogs?limit=3{cursor}")
        shown += page["dialogs"]
        cursor = page["cursor"] and f"&cursor={page['cursor']}"
    expect_equal(sorted(one["call_id"] for one in shown), sorted(call.call_id for call in calls), "dialogs shown")
    for one in shown:
        expect_equal(proxy.get_json(f"/dialogs/{one['id']}")["call_id"], one["call_id"], "dialog by its id")
    for call in calls:
        expect("RFC 4028" in proxy.command("why", call.call_id).stdout, "why explains a call of any worker")
    listed = proxy.command("dialogs", "--limit", "0").stdout.splitlines()
    expect_equal(len(listed), 11, "lines of callkeeper dialogs with its heading")
    for call in calls:
        call.hang_up()
    eventually(proxy.count, lambda n: n == 0, "dialogs after every BYE")


@scenario("a port where nobody is fails a call at once, whichever worker hears of it")
def unreachable(stage):
    """D24, C25."""
    proxy = stage.proxy("--workers", "4")
    caller = stage.user_agent("caller")
    nobody = stage.port()
    for number in range(12):
        sent = caller.compose(
            "OPTIONS", f"sip:nobody@127.0.0.1:{nobody}", f"nobody-{number}-{caller.port}@x", "<sip:a@example.org>;tag=a",
            "<sip:b@example.org>", 1)
        caller.send(sent, proxy.address)
        branch = Message(sent).branch()
        answer = caller.receive(lambda m: (m.status or 0) >= 200 and m.branch() == branch, "a final")
        expect_equal(answer.status, 500, "answer")


@scenario("a second proxy on the address of several workers is refused with status 73")
def second(stage):
    """SO_REUSEPORT is for our own workers."""
    first = stage.proxy("--workers", "2", transports=("udp", "tcp"))
    for transport in ("udp", "tcp"):
        other = stage.proxy(
            "--workers", "2", port=first.port, transports=(transport,), expect_ready=False)
        expect_equal(other.wait(10), 73, f"exit status over {transport}")
        expect("Address already in use" in other.tail(), "what it says")


@scenario("TERM waits for open transactions of all workers, whose answers still leave over TCP")
def drains(stage):
    """B14: the connection belongs to one worker, its transactions to several."""
    proxy = stage.proxy("--workers", "4", transports=("udp", "tcp"))
    caller, callee = stage.stream_agent("caller"), stage.user_agent("callee")
    requests = []
    for number in range(8):
        caller.send(
            caller.compose(
                "OPTIONS", callee.uri, f"drain-{number}-{caller.port}@x", "<sip:a@example.org>;tag=a",
                "<sip:b@example.org>", 1), proxy.address)
        requests.append(callee.request("OPTIONS"))
    proxy.terminate()
    time.sleep(0.2)
    expect(proxy.process.poll() is None, "it still runs")
    for request in requests:
        callee.answer(request, 200, "OK")
    for _ in requests:
        caller.response(200, "OPTIONS")
    expect_equal(proxy.wait(3), 0, "exit status")
