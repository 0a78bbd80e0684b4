import ProxyCore
import ProxySimulation
import Testing

/// A request that has been here before: a loop ends, a spiral goes on.
@Suite("RFC 5393 §4.2: loop detection")
struct LoopTests {
  /// The request as it comes back to us from a proxy that sent it round.
  private func returned(_ sent: SentMessage, uri: String? = nil, hop: String = "z9hG4bKround") -> Draft {
    var rows = Array(sent.lines.dropFirst())
    rows.insert("Via: SIP/2.0/UDP 198.51.100.2:5070;branch=\(hop)", at: 0)
    let method = sent.method ?? ""
    return Draft(startLine: "\(method) \(uri ?? sent.requestURI) SIP/2.0", rows: rows)
  }

  /// B17, B18, B19, G7: also with other Via values between ours and the top, and for any method (B21).
  @Test("The same request with the same target is a loop: 482", arguments: ["INVITE", "MESSAGE", "REGISTER"])
  func loop(method: String) throws {
    try withStage { stage in
      let sent = try #require(stage.alice(.request(method)).first)
      #expect(stage.bob(returned(sent)).map(\.status) == [482])
      let further = returned(sent, hop: "z9hG4bKfurther").preceded(
        by: "Via: SIP/2.0/UDP 198.51.100.3;branch=z9hG4bKz")
      #expect(stage.send(further, from: Place.carol).map(\.status) == [482])
    }
  }

  /// B19, B20: another Request-URI or another Route means that routing decides anew.
  @Test("Another Request-URI or Route is a spiral and passes")
  func spiral() throws {
    try withStage { stage in
      let sent = try #require(stage.alice(.request()).first)
      let spiral = try #require(stage.bob(returned(sent, uri: "sip:carol@198.51.100.3")).first)
      #expect(spiral.startLine == "INVITE sip:carol@198.51.100.3 SIP/2.0")
      #expect(spiral.values("Via").count == 4)
      let rerouted = returned(sent, hop: "z9hG4bKr2").with("Route: <sip:198.51.100.3;lr>")
      #expect(stage.bob(rerouted).first?.destination == Place.carol)
      // The spiral that comes round with nothing changed since is a loop after all.
      #expect(stage.send(returned(spiral, hop: "z9hG4bKr3"), from: Place.carol).map(\.status) == [482])
    }
  }

  /// B20: a later request of the same call is no loop although it looks alike.
  @Test("The next request of the same call is not a loop")
  func nextRequest() throws {
    try withStage { stage in
      let sent = try #require(stage.alice(.request("MESSAGE")).first)
      let next = returned(sent).setting("CSeq", "2 MESSAGE")
      #expect(stage.bob(next).map(\.method) == ["MESSAGE"])
    }
  }

  /// B19: the sent-by must be ours; somebody else's Via with a copied branch is not.
  @Test("A branch of ours under another sent-by does not count")
  func copiedBranch() throws {
    try withStage { stage in
      let sent = try #require(stage.alice(.request()).first)
      var copy = returned(sent)
      copy.rows = copy.rows.map {
        $0.hasPrefix("Via: SIP/2.0/UDP 192.0.2.10") ? "Via: SIP/2.0/UDP 192.0.2.11;branch=\(sent.branch)" : $0
      }
      #expect(stage.bob(copy).map(\.method) == ["INVITE"])
    }
  }

  /// B6: the same From tag, Call-ID and CSeq by another path is for the user agent to judge.
  @Test("A merged request passes")
  func mergedRequest() throws {
    try withStage { stage in
      #expect(stage.alice(.request(branch: "z9hG4bKone")).map(\.method) == ["INVITE"])
      let merged = Draft.request(branch: "z9hG4bKtwo").preceded(
        by: "Via: SIP/2.0/UDP 198.51.100.3;branch=z9hG4bKm")
      #expect(stage.send(merged, from: Place.carol).map(\.method) == ["INVITE"])
    }
  }

  /// B21: CANCEL and ACK find what the INVITE's branch found, so our branch may not depend on the method.
  @Test("The loop part of our branch is the same for every method")
  func methodPlaysNoPart() throws {
    try withStage { stage in
      let parts = ["INVITE", "MESSAGE", "ODD"].compactMap { method in
        stage.alice(.request(method, branch: "z9hG4bK\(method)")).first.map { String($0.branch.suffix(8)) }
      }
      #expect(parts.count == 3)
      #expect(Set(parts).count == 1)
    }
  }

  /// B22, E42: seventy Via values with everything the grammar allows cost one request, no error.
  @Test("Via values of others may hold anything the grammar allows")
  func oddVias() throws {
    try withStage { stage in
      var request = Draft.request()
      for hop in 0..<70 {
        request.rows.append(
          "Via: SIP/2.0/UDP h\(hop).example.net:\(5000 + hop);branch=\"z9\\\"h,;\";flag;x=\"\";y=[::1]")
      }
      #expect(stage.alice(request).map(\.method) == ["INVITE"])
    }
  }
}
