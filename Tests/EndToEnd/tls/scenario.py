"""TLS by RFC 5922 and RFC 5630: calls over it, who is refused, and new certificates while it runs."""

import signal
import ssl
import subprocess

from harness.call import Call
from harness.suite import eventually, expect, expect_equal, scenario
from harness.tls import SELF, Secure, secure_agent, secure_proxy

TIMER = ["Supported: timer", "Session-Expires: 1800"]
AGREED = ["Session-Expires: 1800;refresher=uac", "Require: timer"]


def options(agent, uri, number):
    return agent.compose(
        "OPTIONS", uri, f"tls-{number}-{agent.port}@x", "<sip:a@example.org>;tag=a", "<sip:b@example.org>", 1)


def refreshed(proxy, call):
    """Refreshes by each side by each method; then each side hangs up one call."""
    for side in ("caller", "callee"):
        for method in ("INVITE", "UPDATE"):
            request, response = call.refresh(method, side, TIMER, AGREED)
            expect_equal((request.listed("Route"), response.status), ([], 200), f"{method} of the {side}")
    expect_equal(proxy.counts(), {"active": 1, "early": 0, "timed": 1, "untimed": 0}, "counters in the call")


@scenario("a call to a SIPS URI goes over TLS on both sides and is refreshed and hung up by both")
def both_sides(stage):
    """B52, B53, D41, D72, G29, G36: SIPS in Record-Route, no `transport=tls`, one connection for each party."""
    authority = stage.authority()
    proxy, _ = secure_proxy(stage, authority)
    caller, callee = (secure_agent(stage, name, authority) for name in ("caller", "callee"))
    for hanger in ("caller", "callee"):
        call = Call(proxy.over("tls"), caller, callee).set_up(TIMER, AGREED, ring=True)
        expect(call.invite_seen.listed("Via")[0].startswith("SIP/2.0/TLS "), "Via names TLS")
        for value in call.invite_seen.listed("Record-Route"):
            expect(value.startswith("<sips:") and "transport=" not in value, f"Record-Route {value}")
        refreshed(proxy, call)
        call.hang_up(hanger)
        eventually(proxy.count, lambda n: n == 0, f"dialogs after the BYE of the {hanger}")
    expect_equal([one.opened for one in caller.connections], [True], "the caller's connections: its own")
    expect_equal([one.opened for one in callee.connections].count(False), 1, "connections opened to the callee")


@scenario("a call that comes over TLS goes on over UDP or TCP when its URI is not SIPS")
def bridged(stage):
    """B53, B54, D72: the caller over TLS is reached on its own connection."""
    authority = stage.authority()
    proxy, _ = secure_proxy(stage, authority)
    for plain in ("udp", "tcp"):
        caller = secure_agent(stage, "caller", authority)
        caller.contact_behind_nat = f"sip:caller@127.0.0.1:{caller.port};transport=tls"
        callee = stage.user_agent("callee") if plain == "udp" else stage.stream_agent("callee")
        call = Call(proxy.over("tls"), caller, callee).set_up(TIMER, AGREED)
        values = call.invite_seen.listed("Record-Route")
        expect_equal(len(values), 2, "values of Record-Route")
        expect(f":{proxy.port};" in values[0], f"{values[0]} is for {plain}")
        expect(f":{proxy.over('tls').address[1]};" in values[1], f"{values[1]} is for TLS")
        expect("transport=tls" not in "".join(values), "transport=tls is never written")
        refreshed(proxy, call)
        call.hang_up("callee")
        eventually(proxy.count, lambda n: n == 0, "dialogs after the BYE")
        expect_equal([one.opened for one in caller.connections], [True], "the caller's connections: its own")


@scenario("a SIPS URI is followed over TLS only, wherever the request came from")
def never_plain(stage):
    """B52, G36, G37: a plain listener there hears nothing of it."""
    authority = stage.authority()
    proxy, _ = secure_proxy(stage, authority, "--t1", "50")
    caller = secure_agent(stage, "caller", authority)
    stream = stage.stream_agent("callee")
    datagrams = stage.user_agent("callee", port=stream.port)
    sips = f"sips:callee@127.0.0.1:{stream.port}"
    caller.send(options(caller, sips, 1), proxy.over("tls").address)
    stream.silence(0.2)
    stream.close()
    expect(caller.final("OPTIONS", within=8).status >= 400, "no answer as if it had arrived")
    datagrams.silence(0.1)
    callee = secure_agent(stage, "callee", authority)
    plain = stage.user_agent("plain")
    plain.contact_behind_nat = f"sips:plain@127.0.0.1:{plain.port}"
    call = Call(proxy, plain, callee)
    call.send_invite()
    seen = callee.request("INVITE")
    expect(seen.listed("Record-Route")[0].startswith("<sips:"), "Record-Route toward the SIPS side")
    callee.answer(seen, 486, "Busy Here")
    expect_equal(plain.final("INVITE").status, 486, "answer over UDP")


@scenario("a peer whose certificate names another domain, or comes from a stranger, gets nothing")
def wrong_peer(stage):
    """G29, G30, G31, G32."""
    authority, stranger = stage.authority(), stage.authority("stranger")
    proxy, _ = secure_proxy(stage, authority)
    caller = secure_agent(stage, "caller", authority)
    wrong = {
        "another address": secure_agent(stage, "callee", authority, "IP:127.0.0.2"),
        "another domain": secure_agent(stage, "callee", authority, "DNS:other.example", "URI:sip:other.example"),
        "a stranger's": secure_agent(stage, "callee", stranger),
    }
    for number, (what, callee) in enumerate(wrong.items()):
        caller.send(options(caller, callee.uri, number), proxy.over("tls").address)
        callee.silence(0.5)
        status = caller.final("OPTIONS").status
        expect(status in (408, 480, 500, 503), f"{status} when the certificate is {what}")
    right = secure_agent(stage, "callee", authority)
    caller.send(options(caller, right.uri, 9), proxy.over("tls").address)
    right.answer(right.request("OPTIONS"), 200, "OK")
    caller.response(200, "OPTIONS")


@scenario("HUP brings new certificates without losing a connection")
def reload(stage):
    """The certificates change for later handshakes; a call set up before goes on over its old connections."""
    authority = stage.authority()
    proxy, own = secure_proxy(stage, authority)
    caller, callee = (secure_agent(stage, name, authority) for name in ("caller", "callee"))
    call = Call(proxy.over("tls"), caller, callee).set_up(TIMER, AGREED)
    old = caller.connections[0].socket.getpeercert()["serialNumber"]
    fresh = authority.issue(*SELF, common_name="callkeeper")
    own.certificate.write_bytes(fresh.certificate.read_bytes())
    own.key.write_bytes(fresh.key.read_bytes())
    proxy.process.send_signal(signal.SIGHUP)

    def shown():
        connection = caller.open(proxy.over("tls").address)
        serial = connection.socket.getpeercert()["serialNumber"]
        connection.close()
        return serial
    eventually(shown, lambda serial: serial != old, "certificate after HUP")
    own.key.write_text("not a key\n")
    proxy.process.send_signal(signal.SIGHUP)
    refreshed(proxy, call)
    call.hang_up("callee")
    eventually(proxy.count, lambda n: n == 0, "dialogs after the BYE")
    open_ones = [one for one in caller.connections if not one.is_closed]
    expect_equal(open_ones, caller.connections[:1], "the caller's connection of before")
    expect_equal(len([one for one in callee.connections if not one.opened]), 1, "connections to the callee")
    shown()


@scenario("a certificate that does not name what Record-Route will say is told by check, at the start and after HUP")
def named(stage):
    """G35: and what is right is not spoken of."""
    authority = stage.authority()
    proxy, own = secure_proxy(stage, authority, "--advertise", "tls:localhost")
    expect("configuration.unwise" not in proxy.log.read_text(), f"the name fits: {proxy.tail()}")
    wrong = authority.issue("DNS:other.example")
    own.certificate.write_bytes(wrong.certificate.read_bytes())
    own.key.write_bytes(wrong.key.read_bytes())
    proxy.process.send_signal(signal.SIGHUP)
    told = 'goes by \\"localhost\\" in Record-Route, and its certificate names other.example'
    eventually(proxy.log.read_text, lambda text: told in text, "the warning after HUP")
    flags = ["--listen", f"tls:127.0.0.1:{stage.port()}", "--advertise", "tls:localhost", "--tls-ca",
             str(authority.certificate), "--tls-certificate", str(own.certificate), "--tls-key", str(own.key)]
    result = subprocess.run([stage.binary, "check", *flags], capture_output=True, text=True, timeout=15)
    expect_equal(result.returncode, 0, f"check: {result.stderr}")
    expect(told.replace("\\", "") in result.stdout, f"the warning in {result.stdout!r}")


@scenario("what TLS refuses is in the log with its reason")
def refused(stage):
    """G29: whom we wanted and whom we found."""
    authority = stage.authority()
    proxy, _ = secure_proxy(stage, authority)
    caller = secure_agent(stage, "caller", authority)
    callee = secure_agent(stage, "callee", authority, "DNS:other.example")
    caller.send(options(caller, callee.uri, 1), proxy.over("tls").address)
    callee.silence(0.5)
    eventually(proxy.log.read_text, lambda text: "tls.refused" in text, "the line")
    line = next(line for line in proxy.log.read_text().splitlines() if "tls.refused" in line)
    for word in ("wanted=127.0.0.1", "names other.example", f"peer=127.0.0.1:{callee.port}"):
        expect(word in line, f"{word} in {line}")


@scenario("with --tls-require-client-certificate a client without one is turned away")
def mutual(stage):
    """G34: with one it is served; without the flag both are."""
    authority = stage.authority()
    for flags in ([], ["--tls-require-client-certificate"]):
        proxy, _ = secure_proxy(stage, authority, *flags)
        known = secure_agent(stage, "known", authority)
        callee = stage.user_agent("callee")
        known.send(options(known, callee.uri, 1), proxy.over("tls").address)
        callee.answer(callee.request("OPTIONS"), 200, "OK")
        known.response(200, "OPTIONS")
        nobody = stage.stream_agent("nobody", secure=Secure(authority))
        try:
            nobody.send(options(nobody, callee.uri, 2), proxy.over("tls").address)
            if flags:
                nobody.wait_closed(nobody.connections[0])
        except (ssl.SSLError, ConnectionError):
            expect(bool(flags), "refused although no certificate is required")
        if flags:
            callee.silence(0.2)
        else:
            callee.answer(callee.request("OPTIONS"), 200, "OK")
            nobody.response(200, "OPTIONS")
