"""Certificates made at run time by the openssl command, one side of TLS with them, and a proxy that has one."""

import ssl
import subprocess
import warnings
from dataclasses import dataclass
from pathlib import Path

# What a certificate for the loopback address names.
SELF = ("IP:127.0.0.1", "DNS:localhost")


@dataclass
class Identity:
    """A certificate with its key, as files."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority of one scenario."""

    def __init__(self, folder, name="root"):
        self.folder = folder / f"tls-{name}"
        self.folder.mkdir()
        self._serial = 0
        self.certificate, self._key = self.folder / "ca.pem", self.folder / "ca.key"
        self._openssl(
            "req", "-x509", *self._new_key(self._key), "-subj", f"/CN=Test {name}", "-days", "2", "-out", self.certificate,
            "-addext", "keyUsage=critical,keyCertSign")

    @staticmethod
    def _new_key(path):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path]

    def _openssl(self, *arguments):
        result = subprocess.run(
            ["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
        if result.returncode != 0:
            raise AssertionError(f"openssl {arguments[0]}: {result.stderr}")

    def issue(self, *names, common_name="peer"):
        """A certificate for these subjectAltName entries, such as `DNS:localhost` or `IP:127.0.0.1`."""
        self._serial += 1
        base = self.folder / f"{self._serial}"
        identity = Identity(base.with_suffix(".pem"), base.with_suffix(".key"))
        request, extensions = base.with_suffix(".csr"), base.with_suffix(".ext")
        lines = ["extendedKeyUsage=serverAuth,clientAuth", "basicConstraints=CA:FALSE"]
        if names:
            lines.append("subjectAltName=" + ",".join(names))
        extensions.write_text("\n".join(lines) + "\n")
        self._openssl("req", *self._new_key(identity.key), "-subj", f"/CN={common_name}", "-out", request)
        self._openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-set_serial",
            1000 + self._serial, "-days", "2", "-extfile", extensions, "-out", identity.certificate)
        return identity


class Secure:
    """What an agent over TLS shows and trusts. `name` is the host in its URIs; `version` is the only one it speaks."""

    def __init__(self, authority, identity=None, name="127.0.0.1", wants_client_certificate=False, version=None):
        self.name = name
        self.refused = 0
        self.server_names = []  # what clients asked for by SNI
        self._server = None
        if identity:
            self._server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._server.load_cert_chain(identity.certificate, identity.key)
            self._server.sni_callback = lambda _socket, name, _context: self.server_names.append(name)
            if wants_client_certificate:
                self._server.load_verify_locations(authority.certificate)
                self._server.verify_mode = ssl.CERT_REQUIRED
        self._client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client.load_verify_locations(authority.certificate)
        if identity:
            self._client.load_cert_chain(identity.certificate, identity.key)
        for context in filter(None, (self._server, self._client) if version else ()):
            speak_only(version, context)

    def accept(self, new):
        return self._server.wrap_socket(new, server_side=True, suppress_ragged_eofs=False)

    def connect(self, new):
        """The peer must prove to be `localhost` or the address, whichever the connection leads to."""
        return self._client.wrap_socket(new, server_hostname=new.getpeername()[0], suppress_ragged_eofs=False)


def speak_only(version, context):
    """Restricts a context to a version, also to one that OpenSSL would no longer offer by itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version


def secure_proxy(stage, authority, *flags, transports=("udp", "tcp", "tls")):
    """(proxy with a certificate of the authority, that certificate)."""
    own = authority.issue(*SELF, common_name="callkeeper")
    proxy = stage.proxy(
        "--tls-certificate", str(own.certificate), "--tls-key", str(own.key), "--tls-ca", str(authority.certificate),
        *flags, transports=transports)
    return proxy, own


def secure_agent(stage, name, authority, *names, **options):
    """An agent over TLS whose certificate names these, or the loopback address."""
    return stage.stream_agent(name, secure=Secure(authority, authority.issue(*(names or SELF)), **options))
