"""RFC 3261 §7, §20 and §25 on the wire: odd but legal messages pass, identifiers compare as they should."""

import re

from harness.call import Call
from harness.suite import expect, expect_equal, scenario
from harness.wire import Message

FROM, TO = "<sip:a@example.invalid>;tag=a", "<sip:b@example.invalid>"


def peers(stage, *flags):
    return stage.proxy(*flags), stage.user_agent("caller"), stage.user_agent("callee")


@scenario("compact forms, folding and blanks anywhere the grammar allows them")
def odd_but_legal(stage):
    """A11, A12, A13, A14, A72, E8, E9, E10, E22, E33: a refresh interval in compact form is edited in its row."""
    proxy, caller, callee = peers(stage)
    call = Call(proxy, caller, callee)
    text = (
        f"INVITE {callee.uri} SIP/2.0\r\n"
        f"v  : SIP / 2.0\r\n / UDP  {caller.host} : {caller.port} ;ext;x=\"a;,\\\"b\" ; branch = z9hG4bK-odd ;rport\r\n"
        f"f:\"A \\\" quoted, name\"<sip:a;p=1@example.invalid>;x;tag = {call.tags['caller']}\r\n"
        f"T : sip:b@example.invalid\r\n"
        f"i:\t{call.call_id}\r\n"
        "CSEQ:\r\n 0009   INVITE\r\n"
        f"m: <{caller.uri}>\r\n"
        "mAX-fORWARDS:  070\r\n"
        "k: 100rel\r\nSUPPORTED:\tpath , TIMER\r\n"
        "X : 4000 \r\n ; Odd=\"1;2\" ; refresher=UAS\r\nl : 0\r\n\r\n")
    caller.send(text, proxy.address)
    seen = callee.request("INVITE")
    row = re.search(rb"\r\nX : ([^\r]*)\r\n( [^\r]*)\r\n", seen.raw)
    expect(row, f"the folded row is there:\n{seen}")
    expect_equal(row[1].split()[0] + row[2], b'1800 ; Odd="1;2" ; refresher=UAS', "Session-Expires, lowered in place")
    expect_equal(len(seen.all("Session-Expires")), 1, "Session-Expires rows")
    for part in (b'f:"A \\" quoted, name"<sip:a;p=1@example.invalid>;x;tag = ', b"T : sip:b@example.invalid\r\n",
                 b"CSEQ:\r\n 0009   INVITE\r\n", b"SUPPORTED:\tpath , TIMER\r\n", b"l : 0\r\n"):
        expect(part in seen.raw, f"{part!r} in\n{seen}")
    text = seen.raw.replace(b"\r\n ", b" ")
    answer = "SIP/2.0 200 \r\n" + "".join(
        f"{line.decode()}\r\n" for line in text.split(b"\r\n") if re.match(rb"(v|via|record-route) *:", line, re.I))
    answer += (f"f: {seen.get('From')}\r\nt: sip:b@example.invalid;tag=b\r\ni: {call.call_id}\r\nCSeq: 9 INVITE\r\n"
               f"m: <{callee.uri}>\r\nx: 700;refresher=uas\r\nRequire: timer\r\nl: 0\r\n\r\n")
    callee.send(answer, proxy.address)
    got = caller.response(200)
    expect_equal(got.all("Session-Expires"), ["700;refresher=uas"], "compact x in the 2xx counts as present (A72)")
    expect_equal(proxy.counts()["timed"], 1, "timed dialogs")


@scenario("From and To in every legal form")
def addresses(stage):
    """E29, E30, E32, E35: addr-spec, no blank before the bracket, no tag, quoted semicolons."""
    proxy, caller, callee = peers(stage)
    for number, value in enumerate((
        "sip:a@example.invalid;tag=1", "display<sip:a@example.invalid>;tag=2", "\"x;tag=9\" <sip:a@h.invalid;tag=8>;tag=3",
        "<sip:a@example.invalid>", "A B C <sip:a@[2001:db8::1]>;tag=4", "<tel:+15550100>;tag=5",
    )):
        caller.send(caller.compose("OPTIONS", callee.uri, f"from-{number}@x", value, TO, 1), proxy.address)
        seen = callee.request("OPTIONS")
        expect_equal(seen.get("From"), value, "From")
        callee.answer(seen, 200, "OK")
        caller.response(200)


@scenario("Call-IDs and tags differ by letter case, and odd Call-IDs are legal")
def case(stage):
    """E25, E26, F1: two calls that differ only there are two dialogs, and a BYE ends the right one."""
    proxy, caller, callee = peers(stage)
    calls = []
    for call_id, tag in (("W(a)<b>:\\\"/[]?{}@x", "t"), ("w(a)<b>:\\\"/[]?{}@x", "t"), ("w(a)<b>:\\\"/[]?{}@x", "T")):
        call = Call(proxy, caller, callee)
        call.call_id, call.tags["caller"] = call_id, tag
        calls.append(call.set_up())
    expect_equal(proxy.count(), 3, "dialogs")
    calls[1].hang_up()
    expect_equal(proxy.count(), 2, "dialogs after one BYE")
    left = {(d["call_id"], d["caller_tag"]) for d in proxy.get_json("/dialogs")["dialogs"]}
    expect_equal(left, {(calls[0].call_id, "t"), (calls[2].call_id, "T")}, "what is left")


@scenario("responses: any status from 100 to 699, any reason, and fields that belong to requests")
def responses(stage):
    """E7, E20, E24: 99 and 700 are dropped, an empty or UTF-8 reason passes, misplaced fields stay."""
    proxy, caller, callee = peers(stage)
    for number, (line, passes) in enumerate((
        ("SIP/2.0 099 Low", False), ("SIP/2.0 700 High", False), ("SIP/2.0 2000 Long", False), ("sip/2.0 20 Short", False),
        ("SIP/2.0 699 \u4e2d\u6587 reason", True), ("SIP/2.0 299 ", True),
    )):
        caller.send(caller.compose("MESSAGE", callee.uri, f"status-{number}@x", FROM, TO, 1), proxy.address)
        seen = callee.request("MESSAGE")
        rows = "".join(f"{name}: {value}\r\n" for name, value in seen.fields if name.lower() in ("via", "from", "call-id", "cseq"))
        callee.send(f"{line}\r\n{rows}To: {TO};tag=b\r\nMax-Forwards: x\r\nRoute: <sip:r>\r\nContent-Length: 0\r\n\r\n", proxy.address)
        if passes:
            got = caller.final("MESSAGE")
            expect_equal(got.start_line, line, "Status-Line")
            expect_equal((got.get("Max-Forwards"), got.get("Route")), ("x", "<sip:r>"), "request fields in a response")
        else:
            caller.silence(0.15)
            callee._waiting.clear()


@scenario("what the proxy writes itself parses strictly")
def own_output(stage):
    """B51, B62, E45: our Via and Record-Route by the letter of the grammar, each in a row of its own, first of its kind."""
    proxy, caller, callee = peers(stage)
    Call(proxy, caller, callee).send_invite(["Record-Route: <sip:before.invalid;lr>"])
    seen = callee.request("INVITE")
    via, route = seen.all("Via")[0], seen.all("Record-Route")
    token = r"[A-Za-z0-9\-.!%*_+`'~]+"
    expect(re.fullmatch(rf"SIP/2\.0/UDP 127\.0\.0\.1:{proxy.port}(;{token}(={token})?)*", via), f"our Via: {via}")
    expect(re.fullmatch(rf"<sip:127\.0\.0\.1:{proxy.port};lr(;{token}={token})*>", route[0]), f"our Record-Route: {route[0]}")
    expect_equal(route[1:], ["<sip:before.invalid;lr>"], "the Record-Route that was there")
    refusal = Message(_refusal(caller, proxy))
    expect_equal(refusal.listed("Via")[0].split(";")[0], f"SIP/2.0/UDP {caller.hostport}", "Via of a response of ours")
    expect(re.fullmatch(rf"{re.escape(TO)};tag={token}", refusal.get("To")), f"To of a response of ours: {refusal.get('To')}")


def _refusal(caller, proxy):
    caller.send(caller.compose("MESSAGE", f"sip:{proxy.hostport}", "own@x", FROM, TO, 1), proxy.address)
    return caller.final("MESSAGE").raw
