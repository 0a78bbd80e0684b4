"""Mutated SIP from a seed: the same seed gives the same datagrams.

Whatever a mutation makes of an IPv4 address is bent to a loopback address that nobody uses, so that no datagram leaves
the machine or reaches another scenario; the names end in .invalid and .test, which no resolver knows.
"""

import random
import re

HOME = "127.0.0.77"
NOWHERE = b"127.0.0.9"
QUAD = re.compile(rb"\b(?!127\.0\.0\.77\b)\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b")

TEMPLATES = [
    b"INVITE sip:callee@%(peer)s SIP/2.0\r\nVia: SIP/2.0/UDP %(self)s;rport;branch=z9hG4bK-%(n)d\r\nMax-Forwards: 70\r\n"
    b"From: \"A\" <sip:a@example.invalid>;tag=a%(n)d\r\nTo: <sip:b@example.invalid>\r\nCall-ID: m%(n)d@example.invalid\r\n"
    b"CSeq: 1 INVITE\r\nContact: <sip:a@%(self)s>\r\nSupported: timer, 100rel\r\nSession-Expires: 1800;refresher=uac\r\n"
    b"Min-SE: 90\r\nContent-Type: application/sdp\r\nContent-Length: 4\r\n\r\nv=0\n",
    b"UPDATE sip:b@%(peer)s SIP/2.0\r\nv: SIP/2.0/UDP %(self)s;branch=z9hG4bK-%(n)d\r\nRoute: <sip:%(proxy)s;lr;ck=00>\r\n"
    b"f: <sip:a@example.invalid>;tag=a%(n)d\r\nt: <sip:b@example.invalid>;tag=b%(n)d\r\ni: m%(n)d@example.invalid\r\n"
    b"CSeq: 2 UPDATE\r\nk: timer\r\nx: 600\r\nl: 0\r\n\r\n",
    b"BYE sip:b@%(peer)s SIP/2.0\r\nVia: SIP/2.0/UDP %(self)s;branch=z9hG4bK-%(n)d\r\nRoute: <sip:%(proxy)s;lr>,\r\n"
    b" <sip:%(peer)s;lr>\r\nFrom: <sip:a@example.invalid>;tag=a\r\nTo: <sip:b@example.invalid>;tag=b\r\nCall-ID: m@x.test\r\n"
    b"CSeq: 3 BYE\r\nMax-Forwards: 5\r\nContent-Length: 0\r\n\r\n",
    b"ACK sip:b@%(peer)s SIP/2.0\r\nVia: SIP/2.0/UDP %(self)s;branch=z9hG4bK-%(n)d\r\nFrom: <sip:a@x.test>;tag=a\r\n"
    b"To: <sip:b@x.test>;tag=b\r\nCall-ID: m%(n)d@x.test\r\nCSeq: 1 ACK\r\n\r\n",
    b"CANCEL sip:callee@%(peer)s SIP/2.0\r\nVia: SIP/2.0/UDP %(self)s;branch=z9hG4bK-%(n)d\r\nFrom: <sip:a@x.test>;tag=a\r\n"
    b"To: <sip:b@x.test>\r\nCall-ID: m%(n)d@x.test\r\nCSeq: 1 CANCEL\r\n\r\n",
    b"OPTIONS sip:%(proxy)s SIP/2.0\r\nVia: SIP/2.0/UDP %(self)s;rport;branch=z9hG4bK-%(n)d\r\nProxy-Require: timer\r\n"
    b"From: a <sip:a@x.test>;tag=a\r\nTo: sip:b@x.test\r\nCall-ID: o%(n)d@x.test\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP %(proxy)s;branch=z9hG4bK-%(n)d\r\nVia: SIP/2.0/UDP %(self)s;branch=z9hG4bKx\r\n"
    b"Record-Route: <sip:%(proxy)s;lr;ck=00>\r\nFrom: <sip:a@x.test>;tag=a\r\nTo: <sip:b@x.test>;tag=b\r\nCall-ID: r%(n)d@x.test\r\n"
    b"CSeq: 1 INVITE\r\nSession-Expires: 90;refresher=uas\r\nRequire: timer\r\nContent-Length: 0\r\n\r\n",
]
FRAGMENTS = [
    b"\r\n", b"\r\n ", b"\n", b"\r", b"\0", b"\"", b"\\", b"<", b">", b",", b";", b";;", b":", b"@", b"[", b"[::ffff:127.0.0.9]:", b"%00",
    b"Via: ", b"v:", b"Route: <sip:", b";lr", b";rport", b";branch=z9hG4bK", b";tag=", b"Session-Expires: ", b"x:",
    b"Min-SE: 99999999999999999999", b"4294967296", b"-1", b"Content-Length: 65536\r\n", b"Supported: timer\r\n", b"(", b")",
    b"\xff\xfe", b"\xc3\xa9", b" " * 200, b"a" * 600, b"SIP/2.0", b"SIP/3.0", b"sips:", b"tel:+1", b";maddr=127.0.0.9",
    b"Record-Route: ", b"CSeq: 1 INVITE\r\n", b";received=127.0.0.9", b"Max-Forwards: 0\r\n", b"Require:",
]


def datagrams(seed, count, values):
    """Yields `count` datagrams; `values` fills the templates (self, peer, proxy as bytes)."""
    randomness = random.Random(seed)
    for number in range(count):
        base = randomness.choice(TEMPLATES) % {**values, b"n": number}
        yield QUAD.sub(NOWHERE, mutate(bytearray(base), randomness))


def mutate(data, randomness):
    for _ in range(randomness.choice((1, 1, 1, 2, 3, 6, 12))):
        kind = randomness.randrange(8)
        at = randomness.randrange(len(data) + 1) if data else 0
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << randomness.randrange(8)
        elif kind == 1 and data:
            data[at % len(data)] = randomness.randrange(256)
        elif kind == 2:
            data[at:at] = randomness.choice(FRAGMENTS)
        elif kind == 3:
            del data[at:at + randomness.choice((1, 2, 8, 60))]
        elif kind == 4:
            end = min(len(data), at + randomness.choice((1, 10, 80)))
            data[at:at] = bytes(data[at:end]) * randomness.choice((1, 2, 20))
        elif kind == 5:
            lines = bytes(data).split(b"\r\n")
            randomness.shuffle(lines)
            data[:] = b"\r\n".join(lines)
        elif kind == 6:
            del data[at:]
        else:
            lines = bytes(data).split(b"\r\n")
            chosen = randomness.randrange(len(lines))
            lines[chosen:chosen] = [lines[chosen]] * randomness.choice((1, 3, 100))
            data[:] = b"\r\n".join(lines)
    return bytes(data[:20000])
