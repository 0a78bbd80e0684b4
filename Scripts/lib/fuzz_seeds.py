"""Seeds for the fuzz targets, made from the message fixtures and from a few calls written as events.

The formats are those of Tests/Fuzzing/Harness: `message` takes octets as they are, `framer` a chunk size and a stream,
`values` a kind and a value, `core` a configuration and events (CoreEvent.swift).
"""

import re
from pathlib import Path

SEPARATOR = b"\xff\xfe"
OCTETS, ANSWER, IN_DIALOG, REFUSE, CONNECTION, WAIT, RESOLVE, QUOTE, STUN, REPLY, DRAIN = range(11)
STATUS = {100: 0, 180: 1, 183: 2, 199: 3, 200: 4, 302: 7, 408: 9, 422: 10, 481: 11, 486: 12, 487: 13, 503: 16}
METHOD = {"ACK": 0, "BYE": 1, "UPDATE": 2, "INVITE": 3, "CANCEL": 4, "INFO": 5, "PRACK": 6, "ODD": 7}
TIMER = b"Supported: timer\r\nSession-Expires: 1800;refresher=uac\r\nMin-SE: 90\r\n"
AGREED = b"Require: timer\r\nSession-Expires: 1800;refresher=uas\r\n"
PLACES = {"udp": 1, "udp6": 5, "tcp": 9, "udp5070": 13, "tls": 17}


def request(method=b"INVITE", uri=b"sip:b@198.51.100.2:5070", rows=TIMER, transport=b"UDP", number=1):
    return (
        method + b" " + uri + b" SIP/2.0\r\nVia: SIP/2.0/" + transport + b" 198.51.100.1;branch=z9hG4bKa%d" % number
        + b"\r\nMax-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=a\r\nTo: <sip:b@example.com>\r\nCall-ID: c@example.com\r\n"
        + b"CSeq: %d " % number + method + b"\r\nContact: <sip:a@198.51.100.1>\r\n" + rows + b"Content-Length: 0\r\n\r\n")


def event(kind, text=b"", place=0, pause=0, variant=0):
    return bytes([kind, place, pause, variant]) + text


def answer(status, rows=b"", tag=0, place=0, pause=0):
    return event(ANSWER, rows, place, pause, STATUS[status] | tag << 5)


def in_dialog(method, rows=b"", place=0, pause=0, flags=0):
    return event(IN_DIALOG, rows, place, pause, METHOD[method] | flags)


def core(setup, *events):
    return bytes([setup]) + SEPARATOR.join(events)


def calls():
    """Short calls: what the mutations of a fuzzer would find only after a long time."""
    for setup in (0, 1, 2, 4, 16, 32, 64, 17, 34):
        for place in PLACES.values():
            invite = event(OCTETS, request(), place)
            yield core(setup, invite, answer(180), answer(200, AGREED), in_dialog("ACK"), in_dialog("UPDATE", TIMER),
                       answer(200, AGREED), in_dialog("BYE", pause=100), answer(200))
            yield core(setup, invite, answer(486), in_dialog("ACK", flags=0x10), event(WAIT, pause=200))
            yield core(setup, invite, answer(180), in_dialog("CANCEL", flags=0x10), answer(200), answer(487, place=1))
    invite = event(OCTETS, request(), 1)
    yield core(0, invite, answer(183, tag=1), answer(183, tag=2), answer(200, tag=1), answer(200, tag=2), in_dialog("ACK"))
    yield core(0, invite, answer(422, b"Min-SE: 3600\r\n"), in_dialog("ACK", flags=0x10))
    yield core(0, invite, answer(200, AGREED), event(WAIT, pause=255), event(WAIT, pause=255))
    yield core(0, invite, event(REFUSE), event(WAIT, pause=255))
    yield core(0, invite, answer(100), event(WAIT, pause=255), event(WAIT, pause=255))
    yield core(0, invite, invite, answer(180), invite, answer(200), invite, in_dialog("INVITE", TIMER, flags=0x40), answer(481))
    yield core(0, event(CONNECTION, place=9), event(OCTETS, request(transport=b"TCP"), 9), event(CONNECTION, place=9), answer(200))
    yield core(0, event(OCTETS, request(uri=b"sip:b@198.51.100.2;transport=tcp"), 1), answer(200), in_dialog("BYE"), answer(200))
    named = event(OCTETS, request(uri=b"sip:b@example.com"), 1)
    yield core(0, named, *[event(RESOLVE, bytes([n, n + 1, 64]), variant=2) for n in range(6)], answer(200, AGREED), in_dialog("ACK"))
    yield core(0, named, event(RESOLVE, variant=1), event(RESOLVE, variant=1), event(RESOLVE, bytes(range(8)), variant=2), answer(503),
               event(REFUSE), event(WAIT, pause=255))
    yield core(0, named, event(RESOLVE), event(RESOLVE), event(RESOLVE), event(RESOLVE), event(WAIT, pause=200))
    yield core(0, named, event(WAIT, pause=100), event(RESOLVE, bytes(range(64)), variant=0x42))
    yield from transports()
    yield from dns_replies(named)
    for method in (b"OPTIONS", b"MESSAGE", b"SUBSCRIBE", b"REGISTER", b"CANCEL", b"ACK", b"BYE", b"ODD"):
        for uri in (b"sip:b@198.51.100.2", b"sip:192.0.2.10", b"sip:host.example.com", b"tel:+12", b"sips:b@198.51.100.2"):
            yield core(0, event(OCTETS, request(method, uri, b""), 1), answer(200), event(WAIT, pause=251))


def transports():
    """Connections that break, ICMP errors, SIPS, keep-alives, and the end of the process in the middle of a call."""
    invite = event(OCTETS, request(), 1)
    to_tcp = event(OCTETS, request(uri=b"sip:b@198.51.100.2;transport=tcp"), 1)
    secure = event(OCTETS, request(uri=b"sips:b@198.51.100.2", transport=b"TLS"), 17)
    up = [answer(180), answer(200, AGREED), in_dialog("ACK")]
    yield core(0, secure, *up, in_dialog("UPDATE", TIMER), answer(200, AGREED), in_dialog("BYE"), answer(200))
    yield core(0, secure, *up, event(CONNECTION, place=5), in_dialog("BYE", flags=0x40), answer(200))
    for place, variant in ((0, 0), (0, 1), (5, 0), (0, 2), (0, 3)):
        ends = event(CONNECTION, place=place, variant=variant)
        yield core(0, to_tcp, answer(180), ends, answer(200, AGREED), in_dialog("ACK"), ends, in_dialog("BYE"))
        yield core(0, secure, answer(180), ends, answer(200, AGREED), ends, in_dialog("BYE", flags=0x40), answer(200))
    for octets in (0, 8, 20, 40, 255):
        yield core(0, invite, event(QUOTE, variant=octets), event(QUOTE, variant=octets), event(WAIT, pause=255))
        yield core(16, invite, answer(180), in_dialog("CANCEL", flags=0x10), event(QUOTE, variant=octets), answer(487))
    yield core(0, invite, event(QUOTE, request(), 128), event(QUOTE, b"CANCEL x SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK", 128))
    yield core(0, invite, event(REFUSE, variant=1), event(WAIT, pause=255))
    yield core(0, invite, event(DRAIN), answer(200, AGREED), in_dialog("ACK"), event(OCTETS, request(number=2), 1), in_dialog("BYE"))
    unknown = bytes([0x00, 0x26, 0, 1, 1, 0, 0, 0])
    for place in PLACES.values():
        for variant in (0, 2, 3, 4, 8, 16, 48):
            yield core(0, event(STUN, place=place, variant=variant), event(STUN, unknown * 3, place, variant=variant))


def record(kind, data, seconds=60, owner=b"\xc0\x0c"):
    """A record as it stands in a DNS reply."""
    return owner + kind.to_bytes(2, "big") + b"\0\1" + seconds.to_bytes(4, "big") + len(data).to_bytes(2, "big") + data


def dns_replies(named):
    """Replies in octets, well-formed, cut and hostile, to whatever is asked."""
    def name(*labels):
        return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    host = name(b"h1", b"example", b"com")
    rows = {
        "a": record(1, bytes([198, 51, 100, 2])), "aaaa": record(28, bytes([0x20, 1, 0xD, 0xB8] + 11 * [0] + [1])),
        "srv": record(33, b"\0\1\0\2\x13\xc4" + host), "alias": record(5, b"\xc0\x0c"),
        "naptr": record(35, b"\0\1\0\1\1s\7SIP+D2U\0" + name(b"_sip", b"_udp", b"example", b"com")),
        "soa": record(6, b"\0\0" + bytes(16) + b"\0\0\0\5"), "far": record(1, bytes([198, 51, 100, 3]), 0xFFFF_FFFF),
        "circle": record(5, b"\xc0\x0c", owner=b"\xc0\x2b"), "beyond": record(33, b"\0\1\0\2\x13\xc4\xff\xff"),
    }
    every = [event(REPLY, one, variant=1) for one in rows.values()]
    yield core(0, named, *every, answer(200, AGREED))
    for order in (("naptr", "srv", "a"), ("naptr", "srv", "aaaa"), ("alias", "a"), ("far", "far", "far"), ("beyond", "circle")):
        replies = [event(REPLY, rows[kind], variant=1) for kind in order]
        yield core(0, named, *replies, *replies, answer(200, AGREED), in_dialog("ACK"))
        yield core(144, named, *replies, answer(503), event(WAIT, pause=50), *replies)
    together = b"".join(rows.values())
    for cut in range(0, len(together), 17):
        yield core(0, named, event(REPLY, together[:cut], variant=9), event(REPLY, together[cut:], variant=0x29))
    yield core(0, named, event(REPLY, rows["soa"], variant=0x10), event(REPLY, rows["soa"], variant=0x50), event(REPLY, variant=0x80))
    yield core(0, named, event(REPLY, together, variant=255), event(RESOLVE, bytes(range(0xF0, 0xFF)), variant=2))
    for variant in (0x12, 0x32, 0xA2, 0x52):
        yield core(144, named, *[event(RESOLVE, bytes([n, n + 1, 9]), variant=variant) for n in range(8)], event(WAIT, pause=60))


def values(fixtures):
    """Every value of the fixtures as every kind of value, and some pairs of URIs."""
    found = set()
    for data in fixtures:
        for line in re.split(rb"\r\n(?![ \t])", data):
            _, colon, value = line.partition(b":")
            if colon and 0 < len(value) < 200:
                found.add(value.strip())
            found.update(re.findall(rb"sips?:[^\s>,\"]+", line))
    addresses = [b"192.0.2.1", b"[2001:db8::1]", b"::ffff:192.0.2.1", b"192.0.2.0/24", b"2001:db8::/32", b"[::1]:5060", b"1800"]
    for value in sorted(found) + addresses:
        for kind in range(6):
            yield bytes([kind]) + value
    for value in sorted(found):
        if value.startswith(b"sip"):
            yield b"\x04" + value + b"\n" + value.replace(b"sip:", b"SIP:")
    yield b"\x04sip:a@b;x=1;transport=udp?p=1&q=2\nsip:%61@B;transport=UDP?q=2&p=1"


def streams(fixtures):
    for number, data in enumerate(fixtures):
        yield bytes([number % 256]) + b"\r\n\r\n" + data
    whole = request(b"OPTIONS") + b"\r\n\r\n" + request(b"MESSAGE").replace(b"Content-Length: 0\r\n\r\n", b"l: 4\r\n\r\nbody")
    yield b"\x05" + whole + whole
    yield b"\x00" + whole.replace(b"Content-Length: 0", b"Content-Length: 0\r\nl: 0")
    yield b"\x03" + whole.replace(b"Content-Length: 0", b"Content-Length:\r\n 0")


def seeds(root):
    """Target -> inputs."""
    fixtures = [path.read_bytes() for path in sorted(Path(root, "Tests/SIPSyntaxTests/Fixtures").glob("*.sip"))]
    events = [core(number % 64, event(OCTETS, data, 1), answer(200)) for number, data in enumerate(fixtures)]
    return {
        "message": fixtures, "framer": list(streams(fixtures)), "values": list(values(fixtures)),
        "core": [*calls(), *events],
    }
