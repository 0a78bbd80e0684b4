"""Two phones of Baresip. (Over TLS it does not follow the SIPS URI of our Record-Route.)"""

from harness.suite import eventually, scenario


def called(proxy, caller, callee):
    """Two calls, hung up by the caller and by the callee."""
    for hanger in (caller, callee):
        caller.say(f"dial {callee.uri}")
        eventually(proxy.count, lambda n: n == 1, "dialogs once the callee picked up", within=10)
        eventually(lambda: b"Call established" in caller.log.read_bytes(), bool, "the caller's word for it", within=5)
        hanger.say("hangup")
        eventually(proxy.count, lambda n: n == 0, f"dialogs after {hanger.name} hung up", within=10)


@scenario("two Baresips call each other over UDP")
def udp(stage):
    """B49, F4, F22."""
    proxy = stage.proxy()
    called(proxy, *(stage.baresip(name, proxy.address) for name in ("caller", "callee")))


@scenario("two Baresips call each other over TCP")
def tcp(stage):
    """B49, D17, D41, F22."""
    proxy = stage.proxy(transports=("tcp",))
    called(proxy, *(stage.baresip(name, proxy.address, transport="tcp") for name in ("caller", "callee")))
