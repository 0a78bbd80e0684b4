import Glibc
public import Timekeeping

/// The clocks of the operating system; the core is given instants and reads none of them.
public enum MonotonicClock {
  /// Now on the clock that never steps, counted from the system's start.
  public static var now: MonotonicInstant {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return MonotonicInstant(
      nanoseconds: UInt64(clamping: time.tv_sec) &* 1_000_000_000 &+ UInt64(clamping: time.tv_nsec))
  }

  /// Seconds since 1970 by the wall clock, for people only: nothing is timed by it.
  public static var secondsSince1970: Int64 {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec)
  }
}
