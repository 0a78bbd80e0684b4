"""Where messages on a stream begin and end, whatever the pieces they come in."""

import re
import time

from harness.suite import expect, expect_equal, scenario

BODY = b"v=0\r\n\r\nOPTIONS sip:not@a.message SIP/2.0\r\n\r\n"


def peers(stage):
    proxy = stage.proxy(transports=("udp", "tcp"))
    caller, callee = stage.stream_agent("caller"), stage.stream_agent("callee")
    return proxy, caller, callee, caller.open(proxy.address)


def numbered(caller, callee, number):
    """A request that differs from the others in five digits only."""
    return caller.compose(
        "OPTIONS", callee.uri, f"framing-{number:05d}@x", "<sip:a@example.org>;tag=a", "<sip:b@example.org>", 1,
        ["Content-Type: application/sdp"], body=BODY, branch=f"z9hG4bK-framing-{number:05d}")


def without_numbers(message):
    """What must be equal for all of them: our own branch and the digits put aside."""
    raw = re.sub(rb"framing-\d{5}", b"framing", message.raw)
    return raw.replace(message.branch().encode(), b"branch") if message.is_request else raw


def exchange(caller, callee, numbers):
    """What the callee got and what the caller got back, in the order of the numbers."""
    requests, responses = {}, {}
    for _ in numbers:
        seen = callee.request("OPTIONS")
        requests[int(seen.get("Call-ID")[8:13])] = without_numbers(seen)
        callee.answer(seen, 200, "OK", tag="b")
    for _ in numbers:
        got = caller.final("OPTIONS")
        responses[int(got.get("Call-ID")[8:13])] = without_numbers(got)
    expect_equal(sorted(requests), list(numbers), "requests at the callee")
    expect_equal(sorted(responses), list(numbers), "answers at the caller")
    return [(requests[number], responses[number]) for number in numbers]


@scenario("a message split at any octet gives what it gives whole")
def split(stage):
    """D34, D31: every position, then octet by octet."""
    _, caller, callee, connection = peers(stage)
    whole = numbered(caller, callee, 0)
    connection.send(whole)
    [wanted] = exchange(caller, callee, [0])
    positions = range(1, len(whole))
    for position in positions:
        data = numbered(caller, callee, position)
        connection.send(data[:position])
        time.sleep(0.001)
        connection.send(data[position:])
        time.sleep(0.001)
    for position, result in zip(positions, exchange(caller, callee, positions)):
        expect_equal(result, wanted, f"split after {position} octets")
    for octet in numbered(caller, callee, 99999):
        connection.send(bytes([octet]))
        time.sleep(0.0005)
    expect_equal(exchange(caller, callee, [99999]), [wanted], "octet by octet")


@scenario("100 messages in one segment give what they give one by one")
def together(stage):
    """D33, D34: with and without line ends between them, and cut in the middle of one."""
    _, caller, callee, connection = peers(stage)
    numbers = range(100)
    for number in numbers:
        connection.send(numbered(caller, callee, number))
    wanted = exchange(caller, callee, numbers)
    for hundred, (between, piece) in enumerate(((b"", 1_000_000), (b"\r\n", 1_000_000), (b"", 997)), 1):
        numbers = range(100 * hundred, 100 * hundred + 100)
        data = between.join(numbered(caller, callee, number) for number in numbers)
        for start in range(0, len(data), piece):
            connection.send(data[start:start + piece])
        expect_equal(exchange(caller, callee, numbers), wanted, f"100 with {between!r} between, in pieces of {piece}")
    expect_equal(connection.pongs, 0, "answers to what is no ping")


@scenario("a double line end between messages is answered by one, others are not")
def pings(stage):
    """D65, D66: each ping has its pong, also right before a message; one line end or a blank body has none."""
    _, caller, callee, connection = peers(stage)
    connection.send(b"\r\n\r\n")
    caller.silence(0.2)
    expect_equal(connection.pongs, 1, "answers to one ping")
    connection.send(b"\r\n\r\n" + numbered(caller, callee, 1))
    exchange(caller, callee, [1])
    caller.silence(0.2)
    expect_equal(connection.pongs, 2, "answers after a ping before a message")
    connection.send(b"\r\n" + numbered(caller, callee, 2))
    exchange(caller, callee, [2])
    caller.silence(0.2)
    expect_equal(connection.pongs, 2, "answers after one line end")


@scenario("without a usable Content-Length the sender gets 400 and the connection is closed")
def broken(stage):
    """D31, D32, D35: no other connection suffers."""
    _, caller, callee, healthy = peers(stage)
    whole = numbered(caller, callee, 1)
    length = f"Content-Length: {len(BODY)}\r\n".encode()
    for change in (b"", b"Content-Length: -1\r\n", b"Content-Length: many\r\n", b"Content-Length: 99999999999999999999\r\n",
                   length + b"Content-Length: 3\r\n", length + length):
        other = caller.open(healthy.peer)
        other.send(whole.replace(length, change))
        status = caller.final("OPTIONS").status
        expect(status in (400, 413), f"{status} to {change!r}")
        caller.wait_closed(other)
    other = caller.open(healthy.peer)
    other.send(whole.replace(length, b"Content-Length: 10000000\r\n"))
    expect(caller.final("OPTIONS").status in (400, 413), "too large a body")
    caller.wait_closed(other)
    callee.silence(0.2)
    healthy.send(whole)
    exchange(caller, callee, [1])
