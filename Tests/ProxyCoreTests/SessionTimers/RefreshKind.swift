import CallState
import ProxyCore
import ProxySimulation
import SIPSyntax
import Timekeeping

/// The ways in which a session refresh request comes (A1): the rules are the same for all.
enum RefreshKind: String, CaseIterable, Sendable, CustomStringConvertible {
  case firstInvite = "first INVITE"
  case earlyUpdate = "UPDATE of the early dialog"
  case callerInvite = "re-INVITE of the caller"
  case calleeInvite = "re-INVITE of the callee"
  case callerUpdate = "UPDATE of the caller"
  case calleeUpdate = "UPDATE of the callee"

  var description: String { rawValue }

  var method: String {
    switch self {
    case .firstInvite, .callerInvite, .calleeInvite: "INVITE"
    case .earlyUpdate, .callerUpdate, .calleeUpdate: "UPDATE"
    }
  }

  var sender: Party {
    switch self {
    case .firstInvite, .earlyUpdate, .callerInvite, .callerUpdate: .caller
    case .calleeInvite, .calleeUpdate: .callee
    }
  }

  /// Whether the request is sent on a call that is up.
  var isMidCall: Bool { self != .firstInvite && self != .earlyUpdate }

  /// The kinds whose dialog is up when the 2xx has passed.
  static let confirming = allCases.filter { $0 != .earlyUpdate }

  /// The kinds on a call that is up.
  static let midCall = allCases.filter(\.isMidCall)

  /// Sends this kind of refresh on a call made ready for it. An UPDATE has no body (A49).
  func send(_ rows: [String], on call: WireCall) -> WireExchange {
    switch self {
    case .firstInvite:
      return call.invite(rows)
    case .earlyUpdate:
      call.invite().answer(180, "Ringing")
      return call.request("UPDATE", from: .caller, rows)
    case .callerInvite, .calleeInvite:
      return call.request("INVITE", from: sender, rows, body: "v=0\r\n")
    case .callerUpdate, .calleeUpdate:
      return call.request("UPDATE", from: sender, rows)
    }
  }

  /// The call this kind needs: new, or up and without a timer.
  func call(_ driver: ProxyDriver) -> WireCall { isMidCall ? .established(driver) : WireCall(driver) }

  /// The same, with a running timer of so many seconds.
  func timedCall(_ driver: ProxyDriver, _ value: String) -> WireCall { .timed(driver, value) }
}

extension ProxyDriver {
  /// A proxy that asks for S and accepts M.
  static func with(
    _ wanted: UInt32? = 1800, minSE: UInt32 = 90, honorsRefresherUAS: Bool = false
  ) throws -> ProxyDriver {
    ProxyDriver(
      try configuration(sessionExpires: wanted, minSE: minSE, honorsRefresherUAS: honorsRefresherUAS))
  }

  /// Confirmed dialogs.
  var active: Int { proxy.dialogCounts.active }

  /// One nanosecond, the finest step of the clock.
  static let instant = TimeSpan(nanoseconds: 1)

  /// Whether the dialogs that are up now are gone between `seconds` and one second later, and not before; and
  /// nothing is sent meanwhile (A86–A89).
  func expires(in seconds: Int64) -> Bool {
    let before = active
    var sent = advance(by: .seconds(seconds) + TimeSpan(nanoseconds: -1))
    guard active == before, before > 0 else { return false }
    sent += advance(by: .seconds(1))
    return active == 0 && !sent.contains { $0.method == "BYE" }
  }
}
