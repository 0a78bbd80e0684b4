import CallState
import PagedStorage
import ProxyCore
import ProxySimulation
import SIPSyntax
import Testing
import Timekeeping

/// Who may send what through the proxy: Alice may, strangers only inside calls of hers.
@Suite("Relay control: allowed sources, live dialogs and Record-Route tokens")
struct AccessTests {
  private static let stranger = "198.51.100.66:5060"

  private func withAliceAllowed(_ body: (Stage) throws -> Void) throws {
    try withStage {
      $0.allowed = ["203.0.113.0/24"].compactMap { AddressBlock($0) }
    } _: {
      try body($0)
    }
  }

  /// G1, B1, G5, G6, G8: refused once, without state, with the same octets each time.
  @Test(
    "A stranger's request outside a dialog is answered 403 without state",
    arguments: ["INVITE", "REGISTER", "MESSAGE", "OPTIONS"])
  func stranger(method: String) throws {
    try withAliceAllowed { stage in
      let request = Draft.request(method).setting("Via", "SIP/2.0/UDP \(Self.stranger);branch=z9hG4bKs")
      let answers = (1...3).flatMap { _ in stage.send(request, from: Self.stranger) }
      #expect(answers.map(\.status) == [403, 403, 403])
      #expect(Set(answers.map(\.bytes)).count == 1)
      #expect(answers.first?.destination == Self.stranger)
      #expect(answers.allSatisfy { $0.bytes.count < request.bytes.count + 100 })
      #expect(stage.driver.proxy.serverTransactionCount == 0)
      #expect(stage.alice(.request(method)).map(\.method) == [method])
    }
  }

  /// G2, F28: the callee is no allowed source; its token or the live dialog lets it pass.
  @Test("The callee may use the call's Record-Route, or the live dialog without it")
  func callee() throws {
    try withAliceAllowed { stage in
      let call = try stage.establish()
      #expect(
        stage.bob(call.request("INFO", by: .bob, branch: "z9hG4bK1", cSeq: 1)).map(\.destination) == [
          Place.alice
        ])
      var bare = call.request("INFO", by: .bob, branch: "z9hG4bK2", cSeq: 2)
      bare.rows.removeAll { $0.hasPrefix("Route:") }
      #expect(stage.bob(bare).map(\.destination) == [Place.alice])
      #expect(stage.bob(call.request("ACK", by: .bob, branch: "z9hG4bK3", cSeq: 2)).map(\.method) == ["ACK"])
    }
  }

  /// F29, G2, B57, D69: every digit counts; a token that does not verify is none.
  @Test("A token that was altered or belongs to another call opens nothing: 403")
  func token() throws {
    try withAliceAllowed { stage in
      let call = try stage.establish()
      let other = try stage.establish(.request(branch: "z9hG4bKo", callID: "other-call"))
      let value = try #require(call.recordRoutes.first)
      let token = SentMessage.parameter("ck", in: String(value.dropLast()))
      func request(_ route: String, branch: String) -> Draft {
        var draft = Draft.request("INFO", by: .bob, branch: branch, cSeq: 3, toTag: "unknown")
        draft.rows.insert("Route: \(route)", at: 1)
        return draft
      }
      #expect(stage.bob(request(value, branch: "z9hG4bKok")).map(\.method) == ["INFO"])
      for position in token.indices {
        var altered = token
        altered.replaceSubrange(position...position, with: token[position] == "A" ? "B" : "A")
        let answer = stage.bob(request(value.replacing(token, with: altered), branch: "z9hG4bKt"))
        #expect(answer.map(\.status) == [403], "\(altered)")
      }
      let broken = [
        "A", token + "A", String(token.dropLast()), String(repeating: "A", count: 500),
        token.lowercased(),
      ]
      for text in broken {
        let answer = stage.bob(request(value.replacing(token, with: text), branch: "z9hG4bKb"))
        #expect(answer.map(\.status) == [403], "\(text)")
      }
      let foreign = try #require(other.recordRoutes.first)
      #expect(stage.bob(request(foreign, branch: "z9hG4bKf")).map(\.status) == [403])
      #expect(stage.driver.proxy.counters[.answered403] == UInt64(token.count + broken.count + 1))
    }
  }

  /// G2, B28, F37: after a restart with another token key the callee is a stranger, an allowed source is not.
  @Test("After a restart with other keys only allowed sources get through", arguments: [true, false])
  func restart(sameTokenKey: Bool) throws {
    var configuration = try ProxyDriver.configuration()
    configuration.allowed = ["203.0.113.0/24"].compactMap { AddressBlock($0) }
    let call = try Stage(ProxyDriver(configuration)).establish()
    var environment = ProxyDriver.environment(processKey: HashKey(50, 60))
    if !sameTokenKey { environment.tokenKey = HashKey(70, 80) }
    let stage = Stage(ProxyDriver(configuration, environment: environment))
    #expect(stage.alice(call.request("INFO", branch: "z9hG4bK1", cSeq: 2)).map(\.destination) == [Place.bob])
    let back = stage.bob(call.request("INFO", by: .bob, branch: "z9hG4bK2", cSeq: 2))
    #expect(back.map(\.status) == [sameTokenKey ? nil : 403])
    stage.expectEmptyTables(#_sourceLocation)
  }

  /// B99, B106, G2: ACK and CANCEL are never answered, so a stranger's are dropped and counted.
  @Test("A stranger's ACK and CANCEL are dropped")
  func ackAndCancel() throws {
    try withAliceAllowed { stage in
      #expect(stage.send(.request("ACK", toTag: "x"), from: Self.stranger).isEmpty)
      #expect(stage.send(.request("CANCEL"), from: Self.stranger).isEmpty)
      #expect(stage.count(.droppedAckNotAllowed) == 1)
      #expect(stage.count(.droppedCancelNotAllowed) == 1)
    }
  }

  /// G2, G10: everybody downstream has seen the branch; only the client, or an allowed source, may end the call.
  @Test("A CANCEL acts on a transaction only from where the request came, or from an allowed source")
  func matchingCancel() throws {
    try withAliceAllowed { stage in
      let invite = try #require(stage.alice(.request()).first)
      stage.bob(.answer(180, to: invite))
      #expect(stage.send(.request("CANCEL"), from: Self.stranger).isEmpty)
      #expect(stage.count(.droppedCancelNotAllowed) == 1)
      #expect(stage.alice(.request("CANCEL")).map(\.status) == [200, nil])
      stage.bob(.answer(487, to: invite))
      stage.alice(.request("ACK", toTag: "b"))
    }
  }

  /// D69, D72: the flow in a token opens that flow only, and names a listener that must exist: 430.
  @Test("A flow token whose listener is gone is answered 430")
  func flowGone() throws {
    let both = try ProxyDriver.configuration()
    let first = Stage(ProxyDriver(both))
    let invite = Draft.request("INVITE", "sip:bob@[2001:db8::2]").setting(
      "Contact", "<sip:alice@[2001:db8::77]>"
    )
    .setting("Via", "SIP/2.0/UDP [2001:db8::5];branch=z9hG4bKi")
    let forwarded = try #require(first.send(invite, from: "[2001:db8::5]:5060").first)
    let value = try #require(forwarded.value("Record-Route")).replacing("[2001:db8::10]", with: "192.0.2.10")
    var one = both
    one.listeners.removeLast()
    let stage = Stage(ProxyDriver(one))
    var bye = Draft.request("BYE", by: .bob, branch: "z9hG4bKbye", toTag: "a")
    bye.rows.insert("Route: \(value)", at: 1)
    #expect(stage.bob(bye).map(\.status) == [430])
    stage.expectEmptyTables(#_sourceLocation)
  }
}
