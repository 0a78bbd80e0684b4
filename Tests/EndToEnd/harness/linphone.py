"""Linphone's console phone, unattended: a home of its own, no sound card, and the proxy as its outbound proxy."""

import subprocess

from .tools import Program

_SETTINGS = """\
[sip]
sip_port={port}
sip_tcp_port=0
sip_tls_port=0
bind_address={host}
default_proxy=0
use_ipv6=0
guess_hostname=0
contact="{name}" <sip:{name}@{host}>
session_expires_enabled={timer}
session_expires_value={interval}
session_expires_min_value=90
session_expires_refresher_value={refresher}
[proxy_0]
reg_proxy=<sip:{route}>
reg_route=<sip:{route};lr>
reg_identity=sip:{name}@example.org
reg_sendregister=0
publish=0
[rtp]
audio_rtp_port=-1
nortp_timeout=600
[net]
firewall_policy=0
"""
_REFRESHER = {None: 0, "uas": 1, "uac": 2}


class Linphone:
    """One phone. `interval` None: without session timers. `refresher`: whom it names when it calls, if anyone."""

    def __init__(self, name, scratch, host, port, route, interval=None, refresher=None, answers=False):
        self.name, self.host, self.port = name, host, port
        self.home = scratch / f"linphone-{name}-{port}"
        (self.home / ".local/share/linphone").mkdir(parents=True)
        settings = self.home / "settings"
        settings.write_text(_SETTINGS.format(
            name=name, host=host, port=port, route=f"{route[0]}:{route[1]}", timer=int(interval is not None),
            interval=interval or 0, refresher=_REFRESHER[refresher]))
        self.log = self.home / "log"
        program = Program("linphonec", "linphone-cli")
        environment = program.environment(HOME=str(self.home))
        for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "DISPLAY", "PULSE_SERVER"):
            environment.pop(variable, None)
        command = [str(program.path), "-c", str(settings), "-d", "6", *(["-a"] if answers else [])]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.home, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment)
        self.say("soundcard use files")

    @property
    def uri(self):
        return f"sip:{self.name}@{self.host}:{self.port}"

    def say(self, command):
        """Types one command; the phone reads them in order as soon as it is up."""
        try:
            self.process.stdin.write(command.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError as problem:
            raise AssertionError(f"the phone of {self.name} is gone; its log is {self.log}") from problem

    @property
    def is_listening(self):
        """Whether its socket is there."""
        wanted = f":{self.port:04X}"
        with open("/proc/net/udp", encoding="ascii") as table:
            return any(line.split()[1].endswith(wanted) for line in table.readlines()[1:])

    def close(self):
        if self.process.poll() is None:
            try:
                self.process.communicate(b"quit\n", timeout=5)
            except (subprocess.TimeoutExpired, BrokenPipeError):
                self.process.kill()
                self.process.wait()
