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

  /// Now by the wall clock as HTTP's Date field has it (RFC 9110 §5.6.7).
  static var httpDate: String {
    var seconds = time_t(secondsSince1970)
    var parts = unsafe tm()
    var text = [CChar](repeating: 0, count: 64)
    guard unsafe gmtime_r(&seconds, &parts) != nil else { return "" }
    // The program sets no locale, so names of days and months are the English ones that HTTP wants.
    let length = unsafe strftime(&text, text.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
    return String(decoding: text[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
