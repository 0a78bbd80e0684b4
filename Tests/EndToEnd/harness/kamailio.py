"""Kamailio as a neighbour of the proxy: in the foreground, on one loopback address, with a configuration of ours."""

import os
import signal
import socket
import subprocess
import time

from .tools import Program


class Kamailio:
    """Record-routes every call; requests outside a dialog go to the URI `next_hop`, or where they say without one."""

    def __init__(self, configuration, scratch, host, port, next_hop=None, transports=("udp",)):
        self.host, self.port = host, port
        self.scratch = scratch / f"kamailio-{host}-{port}"
        self.scratch.mkdir(parents=True)
        self.log = self.scratch / "stderr.log"
        program = Program("kamailio", "kamailio")
        modules = program.folder("usr/lib/*/kamailio/modules")
        command = [
            str(program.path), "-f", str(configuration), "-L", str(modules), "-Y", str(self.scratch),
            "-w", str(self.scratch), "-DD", "-E", "-m", "32", "-M", "4", "-n", "1", "-N", "1"]
        if "tcp" not in transports:
            command.append("-T")
        for transport in transports:
            command += ["-l", f"{transport}:{self.hostport}"]
        if next_hop:
            command += ["-A", f'NEXT_HOP="{next_hop}"']
        with open(self.log, "wb") as log:
            # A session of its own, so that its workers can be ended with it.
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=program.environment(),
                start_new_session=True)
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.close()
            raise

    def _wait_until_it_answers(self):
        deadline = time.monotonic() + 20
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((self.host, 0))
            probe.settimeout(0.25)
            own = f"{self.host}:{probe.getsockname()[1]}"
            for number in range(1, 1000):
                lines = [
                    f"OPTIONS sip:{self.hostport} SIP/2.0", f"Via: SIP/2.0/UDP {own};branch=z9hG4bKprobe{number}",
                    "Max-Forwards: 1", f"From: <sip:{own}>;tag=probe", f"To: <sip:{self.hostport}>",
                    f"Call-ID: probe-{number}@{own}", f"CSeq: {number} OPTIONS", "Content-Length: 0", "", ""]
                probe.sendto("\r\n".join(lines).encode(), self.address)
                try:
                    if probe.recv(65535).startswith(b"SIP/2.0 200 "):
                        return
                except OSError:
                    pass
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"kamailio does not answer:\n{self.tail()}")
                time.sleep(0.05)

    def tail(self, lines=12):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    @property
    def address(self):
        return (self.host, self.port)

    @property
    def hostport(self):
        return f"{self.host}:{self.port}"

    def close(self):
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(8)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
