"""G40: the versions of TLS that the proxy speaks, as server and as client, and the one it refuses."""

import ssl
import subprocess

from harness.suite import eventually, expect, expect_equal, scenario
from harness.tls import secure_agent, secure_proxy

OFFERED = (ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")


def options(agent, uri, number):
    return agent.compose(
        "OPTIONS", uri, f"version-{number}-{agent.port}@x", "<sip:a@example.org>;tag=a", "<sip:b@example.org>", 1)


@scenario("a client that speaks nothing but TLS 1.2, or nothing but 1.3, asks and gets its 200")
def clients(stage):
    """G40, B14: the proxy's own answer to OPTIONS, and that of a peer behind it."""
    authority = stage.authority()
    proxy, _ = secure_proxy(stage, authority)
    address = proxy.over("tls").address
    for version, name in OFFERED:
        client, callee = secure_agent(stage, "client", authority, version=version), stage.user_agent("callee")
        client.send(options(client, f"sips:127.0.0.1:{address[1]}", 1), address)
        expect_equal(client.final("OPTIONS").status, 200, f"the proxy's answer over {name}")
        client.send(options(client, callee.uri, 2), address)
        callee.answer(callee.request("OPTIONS"), 200, "OK")
        client.response(200, "OPTIONS")
        expect_equal([one.socket.version() for one in client.connections], [name], "version of its connection")


@scenario("a server that speaks nothing but TLS 1.2, or nothing but 1.3, is reached")
def servers(stage):
    """G40: the proxy as a client."""
    authority = stage.authority()
    proxy, _ = secure_proxy(stage, authority)
    caller = stage.user_agent("caller")
    for version, name in OFFERED:
        callee = secure_agent(stage, "callee", authority, version=version)
        caller.send(options(caller, callee.uri, 1), proxy.address)
        callee.answer(callee.request("OPTIONS"), 200, "OK")
        caller.response(200, "OPTIONS")
        expect_equal([one.socket.version() for one in callee.connections], [name], "version of the proxy's connection")


@scenario("TLS 1.1 is refused by the proxy, as server and as client, and the log says so")
def outdated(stage):
    """G40: the alert is the proxy's own; OpenSSL would offer 1.1 no more unless it is made to."""
    authority = stage.authority()
    proxy, _ = secure_proxy(stage, authority)
    address = proxy.over("tls").address
    client, callee = (secure_agent(stage, name, authority, version=ssl.TLSVersion.TLSv1_1) for name in ("client", "callee"))
    try:
        client.open(address)
        expect(False, "a handshake with TLS 1.1 was completed")
    except ssl.SSLError as refusal:
        expect("ALERT_PROTOCOL_VERSION" in refusal.reason, f"refused by an alert: {refusal}")
    eventually(proxy.log.read_text, lambda text: "tls.refused" in text, "the line in the log")
    caller = stage.user_agent("caller")
    caller.send(options(caller, callee.uri, 1), proxy.address)
    callee.silence(0.5)
    expect_equal((callee.secure.refused, callee.connections), (1, []), "handshakes at the callee")
    expect(caller.final("OPTIONS").status >= 400, "no answer as if it had arrived")
    modern = secure_agent(stage, "modern", authority)
    modern.send(options(modern, f"sips:127.0.0.1:{address[1]}", 1), address)
    modern.response(200, "OPTIONS")


@scenario("openssl's own client is served over TLS 1.2 and 1.3 and not over 1.1, and a plain text is closed")
def s_client(stage):
    """G40: what does not speak TLS harms nobody."""
    authority = stage.authority()
    proxy, _ = secure_proxy(stage, authority)
    host, port = proxy.over("tls").address
    request = options(stage.stream_agent("x"), f"sip:127.0.0.1:{port}", 1)
    for version, served in (("-tls1_2", True), ("-tls1_3", True), ("-tls1_1", False)):
        client = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"{host}:{port}", "-CAfile", str(authority.certificate), "-quiet",
             "-verify_return_error", version, "-cipher", "DEFAULT@SECLEVEL=0"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            client.stdin.write(request)
            client.stdin.flush()
            first = client.stdout.readline()
        except BrokenPipeError:
            first = b""
        finally:
            client.kill()
            _, told = client.communicate()
        expect_equal(first.startswith(b"SIP/2.0 200 "), served, f"200 with {version}: {first!r}")
        expect_equal(b"alert protocol version" in told, not served, f"alert of the proxy with {version}")
    plain = stage.stream_agent("plain")
    connection = plain.open((host, port))
    connection.send(request)
    plain.wait_closed(connection, within=10)
