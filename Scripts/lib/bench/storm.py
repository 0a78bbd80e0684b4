"""The storm: all dialogs fall due in the same second, and calls are made before, during and after it."""

import math
import statistics

from .processes import Sampler
from .stand import outcome


def percentile(values, share):
    """The value below which that share of the values lies; None of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def storm(stand, options):
    """Dialogs whose intervals all end at one instant, probed meanwhile: set-up times, cost, memory given back."""
    stand.warm_up()
    ramp = options.dialogs / options.rate
    due_in = math.ceil(ramp + 90 + options.margin)
    seconds = []
    pss_start = stand.pss()
    with Sampler(stand.cpu_total, 1.0) as cpu, Sampler(stand.pss, 2.0) as memory, \
            Sampler(stand.peer.count, 0.5) as counted:
        # The generator says the time of each second itself: its own start-up does not matter.
        found = stand.generate(
            "--idle", options.dialogs, "--rate", options.rate, "--due-in", due_in, "--probe-rate", options.probe_rate,
            "--linger", due_in - ramp + options.after, "--each-second", on_second=seconds.append)
    first = seconds[0]["clock_ms"] / 1000 - seconds[0]["second"]
    due = first + due_in
    end = first + len(seconds)
    counts = counted.samples
    # The probes' own calls are up for a moment each.
    few = max(5, options.probe_rate / 10)
    gone = next((when for when, count in counts if when > due - 5 and count <= few), None)
    begun = next((when for when, count in counts if when > due - 5 and count < 0.99 * options.dialogs), None)
    until = min(end, (gone if gone else due + 10) + 1)
    calm = max(first + ramp + 5, due - 32)
    windows = {"before": (calm, due - 2), "during": (due - 2, until), "after": (until, end)}
    result = outcome(found)
    result.update(
        dialogs=options.dialogs, due_in_s=due_in, probes=found["probes"], pss_start_kib=pss_start,
        pss_peak_kib=max(value for _, value in memory.samples), pss_end_kib=memory.samples[-1][1],
        held=max((count for when, count in counts if when < due - 5), default=None),
        left=counts[-1][1] if counts else None,
        first_gone_after_s=round(begun - due, 1) if begun else None,
        all_gone_after_s=round(gone - due, 1) if gone else None,
        windows={name: window(seconds, cpu, *span) for name, span in windows.items()})
    calm_ms = (result["windows"]["before"]["cpu_ms_per_s"] + result["windows"]["after"]["cpu_ms_per_s"]) / 2
    used_ms = result["windows"]["during"]["cpu_ms_per_s"] - calm_ms
    length = until - due + 2
    result["us_per_expired"] = round(used_ms * length * 1000 / options.dialogs, 2)
    # How far the calls' own cost strays in as many quiet seconds.
    quiet = [cpu.at(when + 1) - cpu.at(when) for name in ("before", "after")
             for when in range(math.ceil(windows[name][0]), int(windows[name][1]) - 1)]
    stray = statistics.pstdev(quiet) * math.sqrt(length) if len(quiet) > 2 else 0.0
    result["us_per_expired_stray"] = round(stray * 1e6 / options.dialogs, 2)
    return result


def window(seconds, cpu, start, end):
    """The probes that were answered between two times, and the peer's processor time."""
    inside = [s for s in seconds if start <= s["clock_ms"] / 1000 - 1 and s["clock_ms"] / 1000 <= end + 0.1]
    times = [value for second in inside for value in second["probe_answered_us"]]
    result = {"seconds": round(end - start, 1), "probes": len(times),
              "cpu_ms_per_s": round((cpu.at(end) - cpu.at(start)) / max(1e-9, end - start) * 1000, 2)}
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)):
        result[name] = percentile(times, share)
    if inside:
        for name in ("failed", "repeated"):
            result[name] = inside[-1][name] - min((s[name] for s in seconds if s["second"] == inside[0]["second"] - 1),
                                                  default=0)
    return result
