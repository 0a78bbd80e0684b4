import SIPSyntax
import SessionTimers
import Testing

@Suite("RFC 4028 §8.1: request processing")
struct RequestTableTests {
  /// One row of the table with numbers in it.
  struct Case: CustomStringConvertible, Sendable {
    var clause: Clause
    var timer: Bool
    var interval: Field
    var minSE: Field
    var wanted: UInt32?
    var least: UInt32 = 90
    var sessionExpires: ValueChange
    var changedMinSE: ValueChange = .keep
    /// V; nil when we did not ask.
    var remembered: UInt32?

    var input: RequestInput {
      RequestInput(timer: timer, interval: interval, minSE: minSE, wanted: wanted, least: least)
    }
    var description: String { "\(clause.name) \(input)" }
  }

  static let withTimer: [Case] = [
    // A22: insert S, no Min-SE.
    Case(
      clause: .a22, timer: true, interval: .none, minSE: .none, wanted: 1800, sessionExpires: .insert(1800),
      remembered: 1800),
    // A23: S satisfies Min-SE.
    Case(
      clause: .a23, timer: true, interval: .none, minSE: .value(300), wanted: 1800,
      sessionExpires: .insert(1800), remembered: 1800),
    Case(
      clause: .a23, timer: true, interval: .none, minSE: .value(1800), wanted: 1800,
      sessionExpires: .insert(1800), remembered: 1800),
    // A24: never below the request's Min-SE.
    Case(
      clause: .a24, timer: true, interval: .none, minSE: .value(3600), wanted: 1800,
      sessionExpires: .insert(3600), remembered: 3600),
    // A25: we never ask.
    Case(
      clause: .a25, timer: true, interval: .none, minSE: .none, wanted: nil, sessionExpires: .keep,
      remembered: nil),
    Case(
      clause: .a25, timer: true, interval: .none, minSE: .value(300), wanted: nil, sessionExpires: .keep,
      remembered: nil),
    // A27: raised to Min-SE although it is above our minimum.
    Case(
      clause: .a27, timer: true, interval: .value(120), minSE: .value(600), wanted: 1800,
      sessionExpires: .replace(600), remembered: 600),
    // A28: examined and accepted, also at exactly M, m and S, and whatever its length when S is off.
    Case(
      clause: .a28, timer: true, interval: .value(1200), minSE: .none, wanted: 1800, sessionExpires: .keep,
      remembered: 1200),
    Case(
      clause: .a28, timer: true, interval: .value(90), minSE: .value(90), wanted: 1800, sessionExpires: .keep,
      remembered: 90),
    Case(
      clause: .a28, timer: true, interval: .value(1800), minSE: .none, wanted: 1800, sessionExpires: .keep,
      remembered: 1800),
    Case(
      clause: .a28, timer: true, interval: .value(.max), minSE: .none, wanted: nil, sessionExpires: .keep,
      remembered: .max),
    // A29: lowered, but not below Min-SE; a value that is already there keeps its digits.
    Case(
      clause: .a29, timer: true, interval: .value(7200), minSE: .none, wanted: 1800,
      sessionExpires: .replace(1800), remembered: 1800),
    Case(
      clause: .a29, timer: true, interval: .value(7200), minSE: .value(3600), wanted: 1800,
      sessionExpires: .replace(3600), remembered: 3600),
    Case(
      clause: .a29, timer: true, interval: .value(3600), minSE: .value(3600), wanted: 1800,
      sessionExpires: .keep, remembered: 3600),
  ]

  static let withoutTimer: [Case] = [
    // A30: insert S; Min-SE is not needed.
    Case(
      clause: .a30, timer: false, interval: .none, minSE: .none, wanted: 1800, sessionExpires: .insert(1800),
      remembered: 1800),
    // A31: the larger of S and Min-SE.
    Case(
      clause: .a31, timer: false, interval: .none, minSE: .value(300), wanted: 1800, least: 600,
      sessionExpires: .insert(1800), remembered: 1800),
    Case(
      clause: .a31, timer: false, interval: .none, minSE: .value(3600), wanted: 1800,
      sessionExpires: .insert(3600), remembered: 3600),
    // A32: we never ask.
    Case(
      clause: .a32, timer: false, interval: .none, minSE: .value(300), wanted: nil, sessionExpires: .keep,
      remembered: nil),
    // A33: insert Min-SE and raise; never 422.
    Case(
      clause: .a33, timer: false, interval: .value(60), minSE: .none, wanted: 1800,
      sessionExpires: .replace(90), changedMinSE: .insert(90), remembered: 90),
    Case(
      clause: .a33, timer: false, interval: .value(120), minSE: .none, wanted: nil, least: 600,
      sessionExpires: .replace(600), changedMinSE: .insert(600), remembered: 600),
    // A34: raise both.
    Case(
      clause: .a34, timer: false, interval: .value(120), minSE: .value(100), wanted: 1800, least: 600,
      sessionExpires: .replace(600), changedMinSE: .replace(600), remembered: 600),
    // A35: Min-SE stays, also when it is above M and the interval is not below M.
    Case(
      clause: .a35, timer: false, interval: .value(60), minSE: .value(300), wanted: 1800,
      sessionExpires: .replace(300), remembered: 300),
    Case(
      clause: .a35, timer: false, interval: .value(120), minSE: .value(300), wanted: 1800,
      sessionExpires: .replace(300), remembered: 300),
    // A36: left as it is.
    Case(
      clause: .a36, timer: false, interval: .value(1200), minSE: .value(300), wanted: 1800,
      sessionExpires: .keep, remembered: 1200),
    Case(
      clause: .a36, timer: false, interval: .value(86_400), minSE: .none, wanted: nil, sessionExpires: .keep,
      remembered: 86_400),
    // A37: lowered.
    Case(
      clause: .a37, timer: false, interval: .value(7200), minSE: .none, wanted: 1800,
      sessionExpires: .replace(1800), remembered: 1800),
    Case(
      clause: .a37, timer: false, interval: .value(7200), minSE: .value(3600), wanted: 1800,
      sessionExpires: .replace(3600), remembered: 3600),
  ]

  static let unreadable: [Case] = [
    // A17, A38: opaque Session-Expires; even a Min-SE we would raise stays.
    Case(
      clause: .a38, timer: true, interval: .opaque, minSE: .none, wanted: 1800, sessionExpires: .keep,
      remembered: nil),
    Case(
      clause: .a38, timer: false, interval: .opaque, minSE: .value(100), wanted: 1800, least: 600,
      sessionExpires: .keep, remembered: nil),
    // A18: opaque Min-SE counts as 90 and is replaced only where we raise it.
    Case(
      clause: .a23, timer: true, interval: .none, minSE: .opaque, wanted: 1800, sessionExpires: .insert(1800),
      remembered: 1800),
    Case(
      clause: .a28, timer: true, interval: .value(1200), minSE: .opaque, wanted: 1800, sessionExpires: .keep,
      remembered: 1200),
    Case(
      clause: .a34, timer: false, interval: .value(120), minSE: .opaque, wanted: 1800, least: 600,
      sessionExpires: .replace(600), changedMinSE: .replaceMalformed(600), remembered: 600),
    Case(
      clause: .a35, timer: false, interval: .value(60), minSE: .opaque, wanted: 1800,
      sessionExpires: .replace(90), remembered: 90),
    Case(
      clause: .a37, timer: false, interval: .value(7200), minSE: .opaque, wanted: 1800,
      sessionExpires: .replace(1800), remembered: 1800),
    // A19: Min-SE below 90 counts as 90; one below M is raised to it although 90 is not below 90 (A34): left
    // alone it would go on beside an interval that we raised although it was not below that Min-SE (A44).
    Case(
      clause: .a34, timer: false, interval: .value(60), minSE: .value(30), wanted: 1800,
      sessionExpires: .replace(90), changedMinSE: .replace(90), remembered: 90),
    Case(
      clause: .a28, timer: true, interval: .value(90), minSE: .value(30), wanted: 1800, sessionExpires: .keep,
      remembered: 90),
  ]

  @Test(
    "Each row of the table forwards as it says (A22-A38)", arguments: withTimer + withoutTimer + unreadable)
  func row(_ row: Case) throws {
    guard case .forward(let change) = try row.input.decide() else {
      Issue.record("rejected")
      return
    }
    #expect(change.clause == row.clause)
    #expect(change.sessionExpires == row.sessionExpires)
    #expect(change.minSE == row.changedMinSE)
    #expect(change.memory.supportsTimer == row.timer)
    #expect(change.memory.asked == (row.remembered != nil))
    #expect(change.memory.interval == DeltaSeconds(row.remembered ?? 0))
  }

  // A26, A55, A98, G13: rejected always, whatever Min-SE says and whether we ask or not.
  @Test(
    "With timer support an interval below ours is answered 422 with our Min-SE (A26)",
    arguments: [
      RequestInput(timer: true, interval: .value(89), minSE: .none, wanted: 1800, least: 90),
      RequestInput(timer: true, interval: .value(0), minSE: .none, wanted: nil, least: 90),
      RequestInput(timer: true, interval: .value(599), minSE: .value(100), wanted: 1800, least: 600),
      RequestInput(timer: true, interval: .value(599), minSE: .value(900), wanted: 1800, least: 600),
      RequestInput(timer: true, interval: .value(599), minSE: .opaque, wanted: 1800, least: 600),
    ])
  func tooSmall(_ input: RequestInput) throws {
    #expect(try input.decide() == .reject(minSE: DeltaSeconds(input.least), clause: .a26))
  }

  // A40, A20: the parameter is remembered as it came, and there is no place in the result to change it.
  @Test("The refresher of the request is remembered, never invented", arguments: [Refresher.uac, .uas, nil])
  func refresher(_ refresher: Refresher?) throws {
    for timer in [true, false] {
      for interval: UInt32 in [1200, 7200] {
        let input = RequestInput(
          timer: timer, interval: .value(interval), minSE: .none, wanted: 1800, least: 90,
          refresher: refresher)
        guard case .forward(let change) = try input.decide() else { continue }
        #expect(change.memory.refresherInRequest == refresher)
      }
    }
  }

  // A51: the interval a UAS forced by its 2xx meets 422 when it comes back in a refresh; the rules have no
  // notion of "initial", so the same request always gets the same answer (A1, A49, A50, A52, A53, A54).
  @Test("The decision depends on nothing but the request and the policy")
  func stateless() throws {
    let input = RequestInput(timer: true, interval: .value(60), minSE: .none, wanted: 1800, least: 90)
    #expect(try input.decide() == input.decide())
    #expect(try input.decide().clause == .a26)
  }

  @Test("The memory of a transaction takes 8 bytes")
  func layout() {
    #expect(MemoryLayout<SessionTimerMemory>.size <= 8)
  }
}

extension ValueChange {
  static func insert(_ seconds: UInt32) -> ValueChange { .insert(DeltaSeconds(seconds)) }
  static func replace(_ seconds: UInt32) -> ValueChange { .replace(DeltaSeconds(seconds)) }
  static func replaceMalformed(_ seconds: UInt32) -> ValueChange { .replaceMalformed(DeltaSeconds(seconds)) }
}
