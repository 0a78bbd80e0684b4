"""Baresip, unattended: a phone with a folder of its own, no sound card, and the proxy as its outbound proxy."""

import socket
import subprocess
import time

from .tools import Program

_SETTINGS = """\
sip_listen {host}:{port}
net_interface {host}
cons_listen {host}:{console}
audio_player aubridge,none
audio_source aubridge,none
audio_alert aubridge,none
module_path {modules}
module cons.so
module g711.so
module aubridge.so
module_app account.so
module_app menu.so
"""


class Baresip:
    """One phone that answers by itself; `tls` is (certificate with key, trusted certificates) as one file each.

    It listens at `port` for UDP and TCP, at `port` + 1 for TLS.
    """

    def __init__(self, name, scratch, host, port, console, route, transport="udp", tls=None):
        self.name, self.host, self.port, self.transport = name, host, port, transport
        self._console = (host, console)
        self.home = scratch / f"baresip-{name}-{port}"
        self.home.mkdir()
        program = Program("baresip", "baresip-core")
        settings = _SETTINGS.format(host=host, port=port, console=console, modules=program.folder("usr/lib/baresip/modules"))
        if tls:
            settings += f"sip_certificate {tls[0]}\nsip_cafile {tls[1]}\n"
        (self.home / "config").write_text(settings)
        (self.home / "accounts").write_text(
            f'<sip:{name}@{host}:{port}>;outbound="sip:{route[0]}:{route[1]};transport={transport}";regint=0;answermode=auto\n')
        (self.home / "contacts").write_text("")
        self.log = self.home / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [str(program.path), "-f", str(self.home), "-v"], cwd=self.home, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=program.environment(HOME=str(self.home)))
        try:
            self._wait_for_console()
        except BaseException:
            self.close()
            raise

    def _wait_for_console(self):
        deadline = time.monotonic() + 15
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(self._console, timeout=2).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(f"baresip does not start:\n{self.log.read_text(errors='replace')[-1000:]}")

    @property
    def uri(self):
        port = self.port + (1 if self.transport == "tls" else 0)
        return f"sip:{self.name}@{self.host}:{port};transport={self.transport}"

    def say(self, command):
        """Types one command at its console."""
        with socket.create_connection(self._console, timeout=5) as console:
            console.sendall(f"/{command}\n".encode())
            console.settimeout(0.3)
            try:
                while console.recv(4096):  # it echoes; gone before it has read, it would not obey
                    pass
            except TimeoutError:
                pass

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
