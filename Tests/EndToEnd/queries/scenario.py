"""Asking a running proxy: the count, the table, the reasons, the metrics."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time

from harness.call import Call
from harness.suite import eventually, expect, expect_equal, scenario


@scenario("the counters follow early, timed and untimed dialogs")
def counters(stage):
    """F2, F4, F10, F35, A10: active = timed + untimed; early ones apart; `count` prints one integer."""
    proxy = stage.proxy("--session-expires", "off")
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    ringing = Call(proxy, caller, callee)
    ringing.send_invite()
    invite = callee.request("INVITE")
    callee.answer(invite, 180, "Ringing", tag="b0")
    caller.response(180)
    expect_equal(proxy.counts(), {"active": 0, "early": 1, "timed": 0, "untimed": 0}, "while ringing")
    timed = Call(proxy, caller, callee).set_up(
        ["Supported: timer", "Session-Expires: 1800"], ["Session-Expires: 1800;refresher=uac", "Require: timer"])
    untimed = Call(proxy, caller, callee).set_up()
    expect_equal(proxy.counts(), {"active": 2, "early": 1, "timed": 1, "untimed": 1}, "two calls, one ringing")
    expect_equal(proxy.count(), 2, "callkeeper count")
    expect_equal(json.loads(proxy.command("count", "--json").stdout), proxy.counts(), "count --json")
    callee.answer(invite, 486, "Busy Here", tag="b0")
    caller.response(486)
    timed.hang_up()
    untimed.hang_up("callee")
    eventually(proxy.counts, lambda c: not any(c.values()), "counters when all is over")


@scenario("the table is paged, shows both parties and the time left")
def table(stage):
    proxy = stage.proxy()
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    timer = ["Supported: timer", "Session-Expires: 600"]
    answer = ["Session-Expires: 600;refresher=uac", "Require: timer"]
    calls = [Call(proxy, caller, callee).set_up(timer, answer) for _ in range(5)]
    seen, cursor, pages = {}, None, 0
    while pages < 10:
        page = proxy.get_json("/dialogs?limit=2" + (f"&cursor={cursor}" if cursor else ""))
        expect(len(page["dialogs"]) <= 2, "a page keeps to its limit")
        for dialog in page["dialogs"]:
            seen[dialog["call_id"]] = dialog
        pages += 1
        cursor = page.get("cursor")
        if not cursor:
            break
    expect_equal(set(seen), {call.call_id for call in calls}, "Call-IDs in the table")
    dialog = seen[calls[0].call_id]
    expect_equal(dialog["caller_tag"], calls[0].tags["caller"], "caller_tag")
    expect_equal(dialog["callee_tag"], calls[0].tags["callee"], "callee_tag")
    expect_equal(dialog["interval"], 600, "interval")
    expect_equal(dialog["state"], "confirmed", "state")
    expect(590 <= dialog["expires_in"] <= 601, f"expires_in {dialog['expires_in']}")
    status, text = proxy.get(f"/dialogs/{dialog['id']}")
    expect_equal(status, 200, "one dialog by its id")
    expect_equal(json.loads(text)["call_id"], calls[0].call_id, "one dialog by its id")
    listing = proxy.command("dialogs", "--json", "--limit", "3")
    expect_equal(listing.returncode, 0, f"dialogs --json: {listing.stderr}")
    expect(calls[0].call_id in proxy.command("dialogs").stdout, "callkeeper dialogs shows the Call-ID")


@scenario("why tells which clause gave a call its timer, and why another got none")
def why(stage):
    """A26, A28: the last decisions of a dialog, and a refusal that made none."""
    proxy = stage.proxy("--min-se", "600")
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    call = Call(proxy, caller, callee).set_up(
        ["Supported: timer", "Session-Expires: 1200"], ["Session-Expires: 1200;refresher=uac", "Require: timer"])
    told = proxy.command("why", call.call_id)
    expect_equal(told.returncode, 0, f"why: {told.stderr}")
    expect("4028" in told.stdout and "1200" in told.stdout, f"clause and value in {told.stdout!r}")
    refused = Call(proxy, caller, callee)
    refused.send_invite(["Supported: timer", "Session-Expires: 90"])
    expect_equal(caller.final("INVITE").status, 422, "a small interval")
    told = proxy.command("why", refused.call_id)
    expect("600" in told.stdout, f"the minimum in {told.stdout!r}")


@scenario("health, readiness, statistics and unknown paths answer as they should")
def health(stage):
    proxy = stage.proxy()
    for path in ("/healthz", "/readyz", "/stats", "/metrics", "/dialogs/count"):
        expect_equal(proxy.get(path)[0], 200, path)
    expect_equal(proxy.get("/nothing-here")[0], 404, "an unknown path")
    expect_equal(proxy.command("stats").returncode, 0, "callkeeper stats")
    json.loads(proxy.command("stats", "--json").stdout)


@scenario("the metrics pass promtool and count what happened")
def metrics(stage):
    """F35, A96: Prometheus' own linter accepts the text."""
    proxy = stage.proxy()
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    Call(proxy, caller, callee).set_up()
    Call(proxy, caller, callee).set_up().hang_up()
    status, text = proxy.get("/metrics")
    expect_equal(status, 200, "/metrics")
    expect("\ncallkeeper_dialogs_active" in text, "callkeeper_dialogs_active is there")
    values = [line.split()[-1] for line in text.splitlines() if line.startswith("callkeeper_dialogs_active")]
    expect_equal(sum(float(v) for v in values), 1.0, "callkeeper_dialogs_active")
    if promtool := os.environ.get("CALLKEEPER_PROMTOOL"):
        result = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True)
        expect_equal((result.returncode, result.stderr), (0, ""), "promtool check metrics")


@scenario("the count answers in under 20 ms")
def prompt(stage):
    """F35: O(1), over the open control connection."""
    proxy = stage.proxy()
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    for _ in range(20):
        Call(proxy, caller, callee).set_up()
    taken = []
    for _ in range(20):
        started = time.monotonic()
        expect_equal(proxy.counts()["active"], 20, "active")
        taken.append(time.monotonic() - started)
    expect(min(taken) < 0.02, f"{min(taken) * 1000:.1f} ms at best")


@scenario("idle clients of the query API take neither the loop nor the answers of others")
def crowd(stage):
    """More connections than are held, on both listeners, and the queries are answered at once."""
    port = stage.port()
    proxy = stage.proxy("--http", f"127.0.0.1:{port}")
    idle = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(100)]
    try:
        started = time.monotonic()
        expect_equal(proxy.count(), 0, "count beside them")
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        client.request("HEAD", "/dialogs/count")
        answer = client.getresponse()
        expect_equal((answer.status, answer.read()), (200, b""), "HEAD over TCP")
        expect(int(answer.getheader("Content-Length")) > 0, "the length GET would have")
        expect(time.monotonic() - started < 2, "nobody waits for the idle ones")
        stats = proxy.get_json("/stats")["counters"]
        expect(stats["query_connections_cut"] >= 37, f"cut: {stats['query_connections_cut']}")
    finally:
        for connection in idle:
            connection.close()


@scenario("a query to a proxy that is stopped says so")
def stopped(stage):
    proxy = stage.proxy()
    proxy.process.send_signal(signal.SIGSTOP)
    try:
        told = proxy.command("count")
        expect_equal(told.returncode, 69, "exit code")
        expect("does not answer" in told.stderr, f"the reason in {told.stderr!r}")
    finally:
        proxy.process.send_signal(signal.SIGCONT)
