"""The scenarios: what is done to a peer, and which figures come out of it."""

import time

from .stand import cost, outcome
from .storm import storm  # noqa: F401  (one of the scenarios)


def calls(stand, options):
    """Whole calls at an even rate: processor time for each, peak memory, set-up times."""
    stand.warm_up()
    result = {"pss_start_kib": stand.pss()}
    drops, before = stand.drops(), stand.cpu()
    with stand.sampling_pss() as memory:
        found = stand.generate(
            "--calls", options.calls, "--rate", options.rate, "--hold", options.hold, "--refreshes", options.refreshes,
            "--intervals", options.intervals)
        during = stand.cpu()
        # Work that the peer put off belongs to the calls that caused it.
        time.sleep(options.settle)
        after = stand.cpu()
    messages = 6 + 2 * options.refreshes
    used = after - before
    result.update(outcome(found), **cost(used, options.calls), drops=stand.drops() - drops,
                  us_per_message=round(used.total / options.calls / messages * 1e6, 2),
                  deferred_us_per_call=round((after - during).total / options.calls * 1e6, 2),
                  pss_peak_kib=max(value for _, value in memory.samples), pss_end_kib=stand.pss(),
                  idle_ms_per_s=round(stand.idle_cpu(options.idle), 3))
    return result


def refresh(stand, options):
    """The same with session refreshes by UPDATE in each call."""
    return calls(stand, options)


def hold(stand, options):
    """Dialogs that stay: processor time to set each up, memory for each, cost of doing nothing."""
    stand.warm_up()
    time.sleep(options.settle)
    result = {"pss_start_kib": stand.pss(), "count_start": stand.peer.count()}
    drops, before = stand.drops(), stand.cpu()
    with stand.sampling_pss() as memory:
        found = stand.generate("--idle", options.dialogs, "--rate", options.rate, "--intervals", options.intervals)
        time.sleep(options.settle)
        used = stand.cpu() - before
    end = stand.pss()
    result.update(outcome(found), **cost(used, options.dialogs), drops=stand.drops() - drops,
                  held=stand.peer.count(), pss_peak_kib=max(value for _, value in memory.samples), pss_end_kib=end,
                  bytes_per_dialog=round((end - result["pss_start_kib"]) * 1024 / options.dialogs, 1),
                  idle_ms_per_s=round(stand.idle_cpu(options.idle), 3))
    return result


def flat(stand, options):
    """Whole calls on top of more and more idle dialogs in one process: does a call cost the same?"""
    stand.warm_up()
    levels, have = [], 0
    for dialogs in options.levels:
        level = {"dialogs": dialogs}
        if dialogs > have:
            before = stand.cpu()
            ramp = stand.generate(
                "--idle", dialogs - have, "--rate", options.ramp_rate, "--intervals", options.intervals)
            level["ramp"] = outcome(ramp)
        time.sleep(options.settle)
        if dialogs > have:
            level["ramp"].update(cost(stand.cpu() - before, dialogs - have))
        idle = stand.idle_cpu(options.idle)
        pss, drops, before, began = stand.pss(), stand.drops(), stand.cpu(), time.monotonic()
        found = stand.generate(
            "--calls", options.calls, "--rate", options.rate, "--hold", options.hold, "--intervals", options.intervals)
        time.sleep(options.settle)
        used, elapsed = stand.cpu() - before, time.monotonic() - began
        used.total -= idle / 1000 * elapsed
        level.update(outcome(found), **cost(used, options.calls), drops=stand.drops() - drops,
                     held=stand.peer.count(), pss_kib=pss, idle_ms_per_s=round(idle, 3))
        if levels:
            first, last = levels[0], levels[-1]
            level["ratio_to_first"] = round(level["us_per_call"] / max(1e-9, first["us_per_call"]), 3)
            level["bytes_per_dialog"] = round(
                (pss - last["pss_kib"]) * 1024 / max(1, dialogs - last["dialogs"]), 1)
        levels.append(level)
        have = max(have, dialogs)
    return {"levels": levels, "completed": sum(level["completed"] for level in levels),
            "failed": sum(level["failed"] for level in levels), "repeated": sum(level["repeated"] for level in levels)}
