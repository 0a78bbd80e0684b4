import SIPSyntax
import SessionTimers
import Testing

@Suite("RFC 4028 §8.2: response processing")
struct ResponseTableTests {
  static let standard = SessionTimerPolicy.standard

  static func memory(
    timer: Bool, asked: Bool, refresher: Refresher? = nil, interval: UInt32 = 1200
  ) -> SessionTimerMemory {
    SessionTimerMemory(
      supportsTimer: timer, asked: asked, interval: DeltaSeconds(asked ? interval : 0),
      refresherInRequest: refresher)
  }

  /// Every memory a transaction can have.
  static var memories: [SessionTimerMemory] {
    var all: [SessionTimerMemory] = []
    for timer in [true, false] {
      for asked in [true, false] {
        for refresher in [nil, Refresher.uac, .uas] {
          all.append(memory(timer: timer, asked: asked, refresher: refresher))
        }
      }
    }
    return all
  }

  // A9, A61, A69, A71, A73: too small, larger than V, below 90, without a refresher: all as received.
  @Test(
    "A61: Session-Expires in a 2xx holds as it is",
    arguments: [0, 60, 90, 1800, 7200, .max] as [UInt32], [nil, .uac, .uas] as [Refresher?])
  func present(interval: UInt32, refresher: Refresher?) {
    for memory in Self.memories {
      for status: UInt16 in [200, 202, 299] {
        let decision = Self.standard.decision(
          forStatus: status, sessionExpires: Field.value(interval).sessionExpires(refresher: refresher),
          memory: memory)
        #expect(decision.clause == .a61)
        #expect(decision.insert == nil)
        #expect(!decision.requireTimer)
        #expect(decision.timer == .runs(interval: DeltaSeconds(interval), refresher: refresher))
      }
    }
  }

  // A62, A78: also the mid-dialog turn-off.
  @Test("A62: a 2xx without Session-Expires for which nobody asked switches the timer off")
  func notAsked() {
    for memory in Self.memories where !memory.asked {
      let decision = Self.standard.decision(forStatus: 200, sessionExpires: .absent, memory: memory)
      #expect(decision.clause == .a62)
      #expect(decision.insert == nil)
      #expect(decision.timer == .off)
    }
  }

  @Test("A63: a 2xx without Session-Expires to a caller without timer support switches the timer off")
  func callerWithoutTimer() {
    for memory in Self.memories where memory.asked && !memory.supportsTimer {
      let decision = Self.standard.decision(forStatus: 200, sessionExpires: .absent, memory: memory)
      #expect(decision.clause == .a63)
      #expect(decision.insert == nil)
      #expect(decision.timer == .off)
    }
  }

  // A64, A69, A70.
  @Test(
    "A64: the proxy answers for a callee without timers: V, refresher=uac, Require: timer",
    arguments: [nil, .uac] as [Refresher?])
  func answering(refresher: Refresher?) {
    let memory = Self.memory(timer: true, asked: true, refresher: refresher, interval: 777)
    let decision = Self.standard.decision(forStatus: 200, sessionExpires: .absent, memory: memory)
    #expect(decision.clause == .a64)
    #expect(decision.insert?.interval == DeltaSeconds(777))
    #expect(decision.insert?.refresher == .uac)
    #expect(decision.requireTimer)
    #expect(decision.timer == .runs(interval: DeltaSeconds(777), refresher: .uac))
  }

  @Test("A65: refresher=uas in the request is overridden by the text of RFC 4028 §8.2")
  func literal() {
    let memory = Self.memory(timer: true, asked: true, refresher: .uas)
    let decision = Self.standard.decision(forStatus: 200, sessionExpires: .absent, memory: memory)
    #expect(decision.clause == .a65)
    #expect(decision.insert?.interval == DeltaSeconds(1200))
    #expect(decision.insert?.refresher == .uac)
    #expect(decision.requireTimer)
    #expect(decision.timer == .runs(interval: DeltaSeconds(1200), refresher: .uac))
  }

  @Test("A65: with erratum 8926 the response stays as it is")
  func erratum8926() throws {
    let policy = try SessionTimerPolicy(honorsRefresherUAS: true)
    let memory = Self.memory(timer: true, asked: true, refresher: .uas)
    let decision = policy.decision(forStatus: 200, sessionExpires: .absent, memory: memory)
    #expect(decision.clause == .a65)
    #expect(decision.insert == nil)
    #expect(!decision.requireTimer)
    #expect(decision.timer == .off)
    // Only that row changes.
    for memory in Self.memories where memory.refresherInRequest != .uas {
      #expect(
        policy.decision(forStatus: 200, sessionExpires: .absent, memory: memory)
          == Self.standard.decision(forStatus: 200, sessionExpires: .absent, memory: memory))
    }
  }

  @Test("A66: a 2xx whose Session-Expires cannot be read stays as it is")
  func opaque() {
    for memory in Self.memories {
      let decision = Self.standard.decision(forStatus: 200, sessionExpires: .opaque, memory: memory)
      #expect(decision.clause == .a66)
      #expect(decision.insert == nil)
      #expect(decision.timer == .unreadable)
    }
  }

  // A67, A79, A60: also a 422 from downstream, also one that carries a Session-Expires it must not have.
  @Test(
    "A67: a failure changes nothing", arguments: [300, 302, 401, 408, 422, 481, 500, 603, 699] as [UInt16])
  func failure(status: UInt16) { expectUntouched(status, .a67) }

  @Test("A68: a provisional response changes nothing", arguments: [100, 180, 183, 199] as [UInt16])
  func provisional(status: UInt16) { expectUntouched(status, .a68) }

  private func expectUntouched(_ status: UInt16, _ clause: Clause) {
    for memory in Self.memories {
      for field in [Field.none, .opaque, .value(1800)] {
        let decision = Self.standard.decision(
          forStatus: status, sessionExpires: field.sessionExpires(), memory: memory)
        #expect(decision.clause == clause)
        #expect(decision.insert == nil)
        #expect(!decision.requireTimer)
        #expect(decision.timer == .unchanged)
      }
    }
  }

  // A69: the value comes from what went downstream, through both functions.
  @Test("V of the request is what the response gets, not S and not the caller's value")
  func endToEnd() throws {
    let policy = try SessionTimerPolicy(sessionExpires: DeltaSeconds(1800), minSE: DeltaSeconds(90))
    let request = RequestInput(
      timer: true, interval: .value(7200), minSE: .value(3600), wanted: 1800, least: 90)
    guard case .forward(let change) = policy.decision(for: request.request) else {
      Issue.record("rejected")
      return
    }
    let decision = policy.decision(forStatus: 200, sessionExpires: .absent, memory: change.memory)
    #expect(decision.insert?.interval == DeltaSeconds(3600))
  }

  // A17, A39: nothing was asked, so nothing is inserted.
  @Test("After an unreadable request, or one that is no session refresh, nothing is inserted")
  func afterOpaqueRequest() throws {
    let request = RequestInput(timer: true, interval: .opaque, minSE: .none, wanted: 1800, least: 90)
    guard case .forward(let change) = try request.decide() else {
      Issue.record("rejected")
      return
    }
    for memory in [change.memory, .none] {
      let decision = Self.standard.decision(forStatus: 200, sessionExpires: .absent, memory: memory)
      #expect(decision.clause == .a62)
      #expect(decision.insert == nil)
    }
  }

  // A74, A82: the memory is a value of one transaction and each 2xx is read by itself.
  @Test("Two forks of one INVITE are judged apart: one with a timer, one that we answer for")
  func forks() {
    let memory = Self.memory(timer: true, asked: true)
    let withTimer = Self.standard.decision(
      forStatus: 200, sessionExpires: Field.value(600).sessionExpires(refresher: .uas), memory: memory)
    let without = Self.standard.decision(forStatus: 200, sessionExpires: .absent, memory: memory)
    #expect(withTimer.timer == .runs(interval: DeltaSeconds(600), refresher: .uas))
    #expect(without.timer == .runs(interval: DeltaSeconds(1200), refresher: .uac))
  }

  // A72, A80, A11: as read from the bytes of a response.
  @Test(
    "Compact x in a 2xx counts as present, and Min-SE in it as nothing",
    arguments: [
      ("x: 600;refresher=uas", Clause.a61), ("X : 600", .a61), ("Min-SE: 3600", .a64),
      ("Min-SE: 3600\r\nx: 600", .a61), ("x: 600\r\nx: 600", .a66), ("Require: timer", .a64),
    ])
  func parsed(rows: String, clause: Clause) {
    let text = [
      "SIP/2.0 200 OK", "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776", "From: <sip:a@192.0.2.1>;tag=1",
      "To: <sip:b@192.0.2.2>;tag=2", "Call-ID: a84b4c76e66710", "CSeq: 2 INVITE", rows, "Content-Length: 0",
      "", "",
    ].joined(separator: "\r\n")
    let bytes = Array(text.utf8)
    var message = SIPMessage()
    guard case .wellFormed = message.parse(bytes.span) else {
      Issue.record("not well-formed: \(text)")
      return
    }
    let decision = Self.standard.decision(
      forStatus: message.status, sessionExpires: readSessionExpires(message, bytes.span),
      memory: Self.memory(timer: true, asked: true))
    #expect(decision.clause == clause)
  }
}
