"""The command line as a contract: exit codes, and one line that says what is wrong."""

import os
import signal
import socket
import ssl
import subprocess

from harness.suite import eventually, expect, expect_equal, scenario


def run(stage, *arguments, environment=None):
    environment = {**{k: v for k, v in os.environ.items() if not k.startswith("CALLKEEPER_")}, **(environment or {})}
    return subprocess.run([stage.binary, *arguments], capture_output=True, text=True, timeout=15, env=environment)


@scenario("a flag out of range is refused with 78, its name, its value and what is legal")
def ranges(stage):
    """A6, A8: never a proxy that breaks RFC 4028 by configuration."""
    for flags, words in (
        (["--min-se", "60"], ["min-se", "60", "90"]),
        (["--session-expires", "300", "--min-se", "600"], ["session-expires", "300", "600"]),
        (["--listen", "udp:127.0.0.1:99999"], ["listen", "99999"]),
        (["--listen", "tcp:127.0.0.1"], ["listen", "tcp:127.0.0.1"]),
        (["--listen", "tls:127.0.0.1:5061"], ["listen", "tls:127.0.0.1:5061", "--tls-certificate"]),
        (["--tls-key", "key.pem", "--listen", "udp:127.0.0.1:5060"], ["--tls-key", "key.pem", "--listen tls:"]),
        (["--next-hop", "sips:192.0.2.1"], ["next-hop", "sips:192.0.2.1", "tls:HOST:PORT"]),
        (["--next-hop", "sip:192.0.2.1;transport=tls"], ["next-hop", "sips URI"]),
        (["--dns-server", "dns.example.com"], ["dns-server", "dns.example.com"]),
        (["--max-connections", "0"], ["max-connections", "0", "1000000"]),
    ):
        result = run(stage, "check", *flags)
        expect_equal(result.returncode, 78, f"exit code of check {' '.join(flags)}: {result.stderr}")
        for word in words:
            expect(word in result.stderr, f"{word!r} in {result.stderr!r}")
        result = run(stage, "run", *flags)
        expect_equal(result.returncode, 78, f"exit code of run {' '.join(flags)}: {result.stderr}")


@scenario("an interval below the recommendation is accepted with a warning")
def warned(stage):
    """A7: not silently."""
    result = run(stage, "check", "--listen", f"udp:127.0.0.1:{stage.port()}", "--session-expires", "600")
    expect_equal(result.returncode, 0, f"exit code: {result.stderr}")
    expect("1800" in result.stderr + result.stdout, "the warning names the recommended minimum")


@scenario("an unknown flag is a usage error, a missing proxy is 69, version prints one")
def codes(stage):
    expect_equal(run(stage, "run", "--min-see", "90").returncode, 64, "an unknown flag")
    missing = run(stage, "count", "--control", str(stage.scratch / "none.sock"))
    expect_equal(missing.returncode, 69, f"count without a proxy: {missing.stderr}")
    expect_equal(missing.stdout, "", "nothing on standard output")
    version = run(stage, "version")
    expect_equal(version.returncode, 0, "version")
    expect(version.stdout.strip() != "", "version prints something")


@scenario("environment and configuration file stand behind the flag")
def sources(stage):
    """Flag over environment over file over default, seen in the 422 boundary that check reports."""
    file = stage.scratch / "callkeeper.conf"
    file.write_text("min-se = 60\n")
    listen = ["--listen", f"udp:127.0.0.1:{stage.port()}"]
    expect_equal(run(stage, "check", *listen, "--config", str(file)).returncode, 78, "a file out of range")
    result = run(stage, "check", *listen, "--config", str(file), environment={"CALLKEEPER_MIN_SE": "120"})
    expect_equal(result.returncode, 0, f"the environment wins over the file: {result.stderr}")
    result = run(stage, "check", *listen, "--min-se", "95", environment={"CALLKEEPER_MIN_SE": "60"})
    expect_equal(result.returncode, 0, f"the flag wins over the environment: {result.stderr}")


@scenario("check tells every mistake in a line of its own, and what run would open")
def checked(stage):
    """As run would: an address named twice, a folder that is missing, an address others can reach."""
    listen = f"udp:127.0.0.1:{stage.port()}"
    result = run(stage, "check", "--listen", listen, "--listen", listen, "--http", "0.0.0.0:0",
                 "--control", str(stage.scratch / "no" / "folder.sock"))
    lines = result.stderr.splitlines()
    expect_equal(len(lines), 4, f"lines of {result.stderr!r}: UDP and its TCP, twice, query address and socket")
    for word in ("--http-public", listen, "folder.sock"):
        expect(any(word in line for line in lines), f"{word!r} in {result.stderr!r}")
    result = run(stage, "check", "--min-se", "1", "--t1", "1", "--max-dialogs", "-1")
    expect_equal((result.returncode, len(result.stderr.splitlines())), (78, 3), f"three mistakes: {result.stderr!r}")
    path = stage.scratch / "run.sock"
    result = run(stage, "check", "--listen", listen, "--control", str(path))
    expect_equal(result.returncode, 0, f"nothing in the way: {result.stderr}")
    for address in (listen, listen.replace("udp", "tcp"), str(path)):
        expect(address in result.stdout, f"{address} in {result.stdout!r}")
    expect(not path.exists(), "nothing is left behind")


@scenario("an answer that cannot be written is 74, and closed descriptors stay closed to sockets")
def unwritten(stage):
    with open("/dev/full", "w") as full:
        result = subprocess.run([stage.binary, "version"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=15)
    expect_equal(result.returncode, 74, f"version on a full device: {result.stderr}")
    result = subprocess.run(["sh", "-c", '"$0" version >&-', stage.binary], stderr=subprocess.PIPE, timeout=15)
    expect_equal(result.returncode, 74, "version with standard output closed")


def refused(stage, code, words, *flags):
    """Neither run nor check may start with these flags; both say why in one line."""
    for command in ("check", "run"):
        result = run(stage, command, *flags, "--control", str(stage.scratch / "refused.sock"))
        expect_equal(result.returncode, code, f"exit code of {command} {' '.join(flags)}: {result.stderr}")
        expect_equal(len(result.stderr.splitlines()), 1, f"lines of {result.stderr!r}")
        for word in words:
            expect(word in result.stderr, f"{word!r} in {result.stderr!r}")


@scenario("TLS files that cannot work end the start with 78 and one line that names them")
def tls_files(stage):
    """DESIGN section 5: a missing file, one without a certificate, another certificate's key, no key at all."""
    authority = stage.authority()
    first, second = authority.issue("DNS:proxy.example.com"), authority.issue("DNS:proxy.example.com")
    empty = stage.scratch / "empty.pem"
    empty.write_text("nothing\n")
    listen = ["--listen", f"tls:127.0.0.1:{stage.port()}"]
    for certificate, key, words in (
        (stage.scratch / "none.pem", first.key, ["certificate", "none.pem", "No such file"]),
        (empty, first.key, ["certificate", "empty.pem", "PEM"]),
        (first.certificate, second.key, ["key", str(second.key), "belong"]),
        (first.certificate, first.certificate, ["key", str(first.certificate)]),
    ):
        refused(stage, 78, words, *listen, "--tls-certificate", str(certificate), "--tls-key", str(key))
    refused(stage, 78, ["trusted", "empty.pem"], *listen, "--tls-certificate", str(first.certificate),
            "--tls-key", str(first.key), "--tls-ca", str(empty))
    refused(stage, 78, ["tls:127.0.0.1", "--tls-certificate"], *listen)
    result = run(stage, "check", *listen, "--tls-certificate", str(first.certificate), "--tls-key", str(first.key))
    expect_equal(result.returncode, 0, f"files that fit: {result.stderr}")
    expect(f"listen on {listen[1]}" in result.stdout, f"the listener in {result.stdout!r}")


@scenario("a TCP port that somebody has ends the start with 73, also the twin of a UDP port")
def busy(stage):
    """D1: no proxy that silently lacks TCP."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", stage.port()))
        other.listen()
        port = other.getsockname()[1]
        for transport in ("tcp", "udp"):
            refused(stage, 73, [f"tcp:127.0.0.1:{port}", "in use"], "--listen", f"{transport}:127.0.0.1:{port}")


def shown_certificate(proxy):
    """The certificate that a TLS client of the proxy sees."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(proxy.over("tls").address, timeout=5) as plain, context.wrap_socket(plain) as secure:
        return secure.getpeercert(binary_form=True)


@scenario("listeners are named, and HUP reads the TLS files again")
def reloaded(stage):
    """DESIGN section 5: new connections see the new certificate; bad files change nothing."""
    authority = stage.authority()
    first, second = authority.issue("DNS:proxy.example.com"), authority.issue("DNS:proxy.example.com")
    certificate, key = stage.scratch / "cert.pem", stage.scratch / "key.pem"

    def install(identity):
        certificate.write_bytes(identity.certificate.read_bytes())
        key.write_bytes(identity.key.read_bytes())
        return ssl.PEM_cert_to_DER_cert(identity.certificate.read_text())

    installed = install(first)
    proxy = stage.proxy("--tls-certificate", str(certificate), "--tls-key", str(key), transports=("udp", "tls"))
    listeners = ",".join(f"{transport}:127.0.0.1:{port}" for transport, port in (
        ("udp", proxy.port), ("tcp", proxy.port), ("tls", proxy.listeners["tls"])))
    expect(listeners in proxy.log.read_text(), f"{listeners} in the ready line")
    expect_equal(proxy.get_json("/stats")["listen"], listeners, "listeners of /stats")
    expect(f"listen {listeners}" in proxy.command("stats").stdout, "listeners of stats")
    expect_equal(shown_certificate(proxy), installed, "the first certificate")

    def hang_up(event):
        before = proxy.log.read_text().count(event)
        proxy.process.send_signal(signal.SIGHUP)
        eventually(lambda: proxy.log.read_text().count(event), lambda count: count == before + 1, event)

    installed = install(second)
    hang_up("tls.reloaded")
    expect_equal(shown_certificate(proxy), installed, "the second certificate")
    key.write_bytes(first.key.read_bytes())
    hang_up("tls.not_reloaded")
    expect_equal(shown_certificate(proxy), installed, "still the second certificate")


@scenario("without TLS, HUP changes nothing")
def nothing_to_read(stage):
    proxy = stage.proxy()
    proxy.process.send_signal(signal.SIGHUP)
    eventually(lambda: "signal.ignored" in proxy.log.read_text(), bool, "a line in the log")
    expect(proxy.is_running, "and it runs on")
