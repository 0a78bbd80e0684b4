import CallState
import ProxyCore
import ProxySimulation
import Testing
import Timekeeping

/// A proxy between Alice and Bob, on a virtual clock.
final class Stage {
  let driver: ProxyDriver

  init(_ driver: ProxyDriver) { self.driver = driver }

  /// Alice sends.
  @discardableResult
  func alice(_ draft: Draft) -> [SentMessage] { driver.deliver(draft.bytes, from: Place.alice) }

  /// Bob sends.
  @discardableResult
  func bob(_ draft: Draft) -> [SentMessage] { driver.deliver(draft.bytes, from: Place.bob) }

  /// One of the two sends.
  @discardableResult
  func send(_ draft: Draft, by party: Person) -> [SentMessage] {
    driver.deliver(draft.bytes, from: party.address)
  }

  /// Anybody sends.
  @discardableResult
  func send(_ draft: Draft, from source: String) -> [SentMessage] {
    driver.deliver(draft.bytes, from: source)
  }

  /// Alice acknowledges a failure of her INVITE; whatever that makes the proxy send.
  @discardableResult
  func acknowledge(_ failure: SentMessage?, _ uri: String? = nil) -> [SentMessage] {
    alice(.request("ACK", uri).setting("To", failure?.value("To")))
  }

  /// Time passes.
  @discardableResult
  func wait(_ span: TimeSpan) -> [SentMessage] { driver.advance(by: span) }

  var counts: DialogCounts { driver.proxy.dialogCounts }

  func count(_ counter: Counter) -> UInt64 { driver.proxy.counters[counter] }

  /// Every dialog, as an operator would see it.
  var dialogs: [DialogView] { driver.proxy.dialogs(from: 0, limit: 100, at: driver.now).dialogs }

  /// A call that was answered and acknowledged.
  @discardableResult
  func establish(
    _ invite: Draft = .request(), from source: String = Place.alice,
    answer: (Draft) -> Draft = { $0 }, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> Call {
    let forwarded = try #require(send(invite, from: source).first, sourceLocation: sourceLocation)
    let response = answer(.answer(200, to: forwarded))
    let ok = try #require(
      driver.deliver(response.bytes, from: forwarded.destination).first, sourceLocation: sourceLocation)
    let call = Call(invite: forwarded, ok: ok)
    let ack = send(call.request("ACK", branch: "z9hG4bKack", cSeq: 1), from: source)
    try #require(ack.count == 1, sourceLocation: sourceLocation)
    return call
  }
}

/// What both sides know of a call after its 2xx.
struct Call {
  let invite: SentMessage
  let ok: SentMessage

  /// Our Record-Route values as they stand in the messages.
  var recordRoutes: [String] { ok.values("Record-Route") }

  /// The Route rows of a party: the caller's are in reverse order (RFC 3261 §12.1.2).
  func routes(of party: Person) -> [String] {
    (party == .alice ? recordRoutes.reversed() : recordRoutes).map { "Route: \($0)" }
  }

  /// A request inside the dialog, with the Route of the party that sends it.
  func request(
    _ method: String, _ uri: String? = nil, by party: Person = .alice, branch: String, cSeq: Int
  ) -> Draft {
    var draft = Draft.request(method, uri, by: party, branch: branch, cSeq: cSeq, toTag: party.other.tag)
    draft = draft.setting("Call-ID", ok.value("Call-ID"))
    draft.rows.insert(contentsOf: routes(of: party), at: 1)
    return draft
  }
}

/// Runs a test against a proxy and then lets seven minutes pass: after that no transaction may be left, none of
/// its octets kept, and the dialog counters must equal a walk over the table (B87, C55, F35).
func withStage(
  sessionExpires: UInt32? = nil, minSE: UInt32 = 90,
  _ configure: (inout ProxyConfiguration) -> Void = { _ in },
  sourceLocation: SourceLocation = #_sourceLocation, _ body: (Stage) throws -> Void
) throws {
  var configuration = try ProxyDriver.configuration(sessionExpires: sessionExpires, minSE: minSE)
  configure(&configuration)
  let stage = Stage(ProxyDriver(configuration))
  try body(stage)
  stage.expectEmptyTables(sourceLocation)
}

extension Stage {
  func expectEmptyTables(_ sourceLocation: SourceLocation) {
    wait(.seconds(420))
    #expect(driver.proxy.serverTransactionCount == 0, sourceLocation: sourceLocation)
    #expect(driver.proxy.clientTransactionCount == 0, sourceLocation: sourceLocation)
    #expect(driver.proxy.openTransactionCount == 0, sourceLocation: sourceLocation)
    #expect(driver.proxy.storedTransactionBytes == 0, sourceLocation: sourceLocation)
    #expect(driver.proxy.auditDialogs() == nil, sourceLocation: sourceLocation)
  }
}

extension SentMessage {
  /// The branch of the topmost Via.
  var branch: String { Self.parameter("branch", in: value("Via") ?? "") }

  /// A parameter's value in a header field value; empty when there is none.
  static func parameter(_ name: String, in value: String) -> String {
    for part in value.split(separator: ";") where part.hasPrefix("\(name)=") {
      return String(part.dropFirst(name.count + 1))
    }
    return ""
  }

  /// The URI of a request line.
  var requestURI: String { startLine.split(separator: " ").dropFirst().first.map(String.init) ?? "" }
}
