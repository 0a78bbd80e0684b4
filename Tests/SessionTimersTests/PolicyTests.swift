import SIPSyntax
import SessionTimers
import Testing

@Suite("RFC 4028 §4 and §5: the policy")
struct PolicyTests {
  // A6.
  @Test("A minimum below 90 s is refused, and the message says why", arguments: [0, 1, 89] as [UInt32])
  func minimum(seconds: UInt32) {
    let error = #expect(throws: SessionTimerPolicy.PolicyError.self) {
      try SessionTimerPolicy(minSE: DeltaSeconds(seconds))
    }
    #expect(error == .minSETooSmall(DeltaSeconds(seconds)))
    #expect(error?.description.contains("--min-se \(seconds)") == true)
    #expect(error?.description.contains("90") == true)
  }

  // A8.
  @Test("An interval below the minimum is refused")
  func belowMinimum() {
    let error = #expect(throws: SessionTimerPolicy.PolicyError.self) {
      try SessionTimerPolicy(sessionExpires: DeltaSeconds(599), minSE: DeltaSeconds(600))
    }
    #expect(error == .sessionExpiresBelowMinSE(DeltaSeconds(599), minSE: DeltaSeconds(600)))
    #expect(error?.description.contains("--session-expires 599") == true)
  }

  // A7.
  @Test("An interval below 1800 s is accepted with a warning")
  func warning() throws {
    let small = try SessionTimerPolicy(sessionExpires: DeltaSeconds(1799))
    #expect(small.warnings == [.sessionExpiresTooSmall(DeltaSeconds(1799))])
    #expect(small.warnings.first?.description.contains("1799") == true)
    #expect(try SessionTimerPolicy(sessionExpires: DeltaSeconds(1800)).warnings.isEmpty)
    #expect(try SessionTimerPolicy(sessionExpires: nil).warnings.isEmpty)
  }

  @Test("The default asks for 1800 s and accepts 90 s")
  func standard() throws {
    #expect(try SessionTimerPolicy() == .standard)
    #expect(SessionTimerPolicy.standard.sessionExpires == DeltaSeconds(1800))
    #expect(SessionTimerPolicy.standard.minSE == DeltaSeconds(90))
    #expect(!SessionTimerPolicy.standard.honorsRefresherUAS)
  }
}

@Suite("callkeeper why: clauses and remembered decisions")
struct RememberedDecisionTests {
  @Test(
    "Every clause has a stable number, a citation and one line of explanation", arguments: Clause.allCases)
  func clause(_ clause: Clause) {
    #expect(clause.name == "A\(clause.rawValue)")
    #expect((22...39).contains(clause.rawValue) || (61...68).contains(clause.rawValue))
    #expect(clause.isAboutResponse == (clause.rawValue > 60))
    #expect(clause.citation.hasPrefix("RFC "))
    #expect(!clause.explanation.isEmpty && clause.explanation.count <= 90)
    #expect(!clause.explanation.contains("\n"))
  }

  @Test("A decision comes back from its 8 bytes as it went in", arguments: Clause.allCases)
  func roundTrip(_ clause: Clause) {
    for isUpdate in [true, false] {
      for fromCaller in [true, false] {
        let decision = SessionTimerDecision(
          clause: clause, valueIn: DeltaSeconds(86_399), valueOut: DeltaSeconds(1800), isUpdate: isUpdate,
          fromCaller: fromCaller, atSecond: 1_234_567)
        let copy = SessionTimerDecision(bits: decision.bits)
        #expect(copy.clause == clause)
        #expect(copy.isUpdate == isUpdate)
        #expect(copy.fromCaller == fromCaller)
        #expect(copy.valueIn == .exactly(86_399))
        #expect(copy.valueOut == .exactly(1800))
        #expect(copy.second(notAfter: 1_234_567) == 1_234_567)
        #expect(copy.second(notAfter: 9_000_000) == 1_234_567)
      }
    }
  }

  @Test(
    "Values are exact below 131,070 s and say so from there on",
    arguments: [
      (nil, .absent, "-"), (0, .exactly(0), "0"), (90, .exactly(90), "90"),
      (131_069, .exactly(131_069), "131069"), (131_070, .atLeast(131_070), ">=131070"),
      (131_071, .atLeast(131_070), ">=131070"), (.max, .atLeast(131_070), ">=131070"),
    ] as [(UInt32?, SessionTimerDecision.Value, String)])
  func values(_ seconds: UInt32?, _ value: SessionTimerDecision.Value, _ text: String) {
    let decision = SessionTimerDecision(
      clause: .a29, valueIn: seconds.map { DeltaSeconds($0) }, valueOut: nil, isUpdate: false,
      fromCaller: true,
      atSecond: 0)
    #expect(decision.valueIn == value)
    #expect(decision.valueIn.description == text)
    #expect(decision.valueOut == .absent)
  }

  @Test("Seconds beyond 2^23 are found again for 97 days")
  func wrapping() {
    let second: UInt32 = 50_000_000
    let decision = SessionTimerDecision(
      clause: .a61, valueIn: nil, valueOut: nil, isUpdate: true, fromCaller: false, atSecond: second)
    #expect(decision.second(notAfter: second) == second)
    #expect(decision.second(notAfter: second + (1 << 23) - 1) == second)
    #expect(SessionTimerDecision.none.second(notAfter: 5) == 0)
    #expect(SessionTimerDecision(bits: .max).second(notAfter: 5) == 0)
  }

  @Test("Zeroed and unknown bytes are no decision")
  func none() {
    #expect(SessionTimerDecision.none.isNone)
    #expect(SessionTimerDecision(bits: 0x1F).clause == nil)
    #expect(MemoryLayout<SessionTimerDecision>.size == 8)
  }

  @Test("Decisions remember what came in and what went out")
  func remembered() throws {
    let lowered = RequestInput(timer: true, interval: .value(7200), minSE: .none, wanted: 1800, least: 90)
    let first = try lowered.decide().remembered(
      about: lowered.request, isUpdate: false, fromCaller: true, atSecond: 7)
    #expect(first.clause == .a29)
    #expect(first.valueIn == .exactly(7200))
    #expect(first.valueOut == .exactly(1800))

    let refused = RequestInput(timer: true, interval: .value(60), minSE: .none, wanted: 1800, least: 90)
    let second = try refused.decide().remembered(
      about: refused.request, isUpdate: true, fromCaller: false, atSecond: 8)
    #expect(second.clause == .a26)
    #expect(second.valueIn == .exactly(60))
    #expect(second.valueOut == .exactly(90))

    let memory = SessionTimerMemory(
      supportsTimer: true, asked: true, interval: DeltaSeconds(1800), refresherInRequest: nil)
    let inserted = SessionTimerPolicy.standard
      .decision(forStatus: 200, sessionExpires: .absent, memory: memory)
      .remembered(isUpdate: false, fromCaller: true, atSecond: 9)
    #expect(inserted.clause == .a64)
    #expect(inserted.valueIn == .absent)
    #expect(inserted.valueOut == .exactly(1800))
  }
}
