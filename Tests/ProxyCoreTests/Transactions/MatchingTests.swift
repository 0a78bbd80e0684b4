import ProxyCore
import ProxySimulation
import Testing
import Timekeeping

/// Which request belongs to which transaction, also for clients of RFC 2543.
@Suite("RFC 3261 §17.1.3, §17.2.3, §9.2: matching")
struct MatchingTests {
  /// C49, C50, C54: a request as a change of the one before, and whether it is the same transaction.
  @Test(
    "Branch, sent-by and method make a transaction",
    arguments: [
      ("SIP/2.0/UDP 203.0.113.5:5062;branch=z9hG4bKone", "MESSAGE", true),
      ("SIP/2.0/UDP 203.0.113.5:5062;BRANCH=Z9HG4BKONE;x=y", "MESSAGE", true),
      ("SIP/2.0/TCP 203.0.113.5:5062;branch=z9hG4bKone", "MESSAGE", true),
      ("SIP/2.0/UDP 203.0.113.5:5062;branch=z9hG4bKtwo", "MESSAGE", false),
      ("SIP/2.0/UDP 203.0.113.5:5063;branch=z9hG4bKone", "MESSAGE", false),
      ("SIP/2.0/UDP 203.0.113.5;branch=z9hG4bKone", "MESSAGE", false),
      ("SIP/2.0/UDP 203.0.113.6:5062;branch=z9hG4bKone", "MESSAGE", false),
      ("SIP/2.0/UDP 203.0.113.5:5062;branch=z9hG4bKone", "INFO", false),
      ("SIP/2.0/UDP 203.0.113.5:5062;branch=z9hG4bKone", "MESSAGe", false),
    ])
  func withCookie(via: String, method: String, isSame: Bool) throws {
    try withStage { stage in
      #expect(stage.alice(.request("MESSAGE", branch: "z9hG4bKone")).count == 1)
      let second = stage.alice(.request(method).setting("Via", via))
      #expect(second.map(\.method) == (isSame ? [] : [method]))
      #expect(stage.driver.proxy.serverTransactionCount == (isSame ? 1 : 2))
    }
  }

  /// C50: an absent port is not an explicit 5060; host names compare in any letter case.
  @Test("sent-by compares as written, but in any letter case")
  func sentBy() throws {
    try withStage { stage in
      for (host, isNew) in [
        ("Phone.example.com", true), ("phone.EXAMPLE.com", false), ("phone.example.com:5060", true),
      ] {
        let sent = stage.alice(.request("MESSAGE").setting("Via", "SIP/2.0/UDP \(host);branch=z9hG4bKh"))
        #expect(sent.isEmpty == !isNew, "\(host)")
      }
    }
  }

  /// C51, C53, E34: no branch, a branch without cookie, and the cookie alone are three ways to be an RFC 2543 client.
  static let oldVias = [
    "SIP/2.0/UDP 203.0.113.5:5062", "SIP/2.0/UDP 203.0.113.5:5062;branch=1",
    "SIP/2.0/UDP 203.0.113.5:5062;branch=z9hG4bK",
  ]

  /// C51: every field of the rule tells two transactions apart.
  @Test(
    "Without a cookie Request-URI, tags, Call-ID, CSeq and top Via make a transaction", arguments: oldVias)
  func withoutCookie(via: String) throws {
    try withStage { stage in
      let base = Draft.request("INVITE").setting("Via", via)
      #expect(stage.alice(base).map(\.method) == ["INVITE"])
      #expect(stage.alice(base).map(\.status) == [100])
      let reordered = base.setting("Contact", "<sip:x@203.0.113.5>").with("Subject: not a part of it")
      #expect(stage.alice(reordered).map(\.status) == [100])
      var other = base
      other.startLine = "INVITE sip:carol@198.51.100.2:5070 SIP/2.0"
      let changes = [
        other, base.setting("From", "<sip:alice@example.com>;tag=z"),
        base.setting("To", "<sip:bob@example.com>;tag=t"),
        base.setting("Call-ID", "another"), base.setting("CSeq", "2 INVITE"), base.setting("Via", via + ";x"),
      ]
      for change in changes { #expect(stage.alice(change).map(\.method) == ["INVITE"], "\(change)") }
      #expect(stage.driver.proxy.serverTransactionCount == 1 + changes.count)
    }
  }

  /// C51, C52: ACK and CANCEL of such a client find their INVITE.
  @Test("CANCEL and the ACK of a failure find the INVITE of an RFC 2543 client", arguments: oldVias)
  func oldCancelAndAck(via: String) throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request().setting("Via", via)).first)
      stage.bob(.answer(180, to: invite))
      let cancelled = stage.alice(.request("CANCEL").setting("Via", via))
      #expect(cancelled.map { $0.method ?? "\($0.status ?? 0)" } == ["200", "CANCEL"])
      #expect(stage.alice(.request("CANCEL").setting("Via", via)).map(\.status) == [200])
      let failure = stage.bob(.answer(487, to: invite)).last
      #expect(failure?.status == 487)
      #expect(stage.alice(.request().setting("Via", via)).map(\.status) == [487])
      #expect(stage.alice(.request("ACK", toTag: "b").setting("Via", via)).isEmpty)
      #expect(stage.alice(.request().setting("Via", via)).isEmpty)
    }
  }

  /// C51: the To tag of the ACK must be that of the response we sent.
  @Test("An ACK of an RFC 2543 client with another To tag acknowledges nothing", arguments: oldVias)
  func oldAckWithForeignTag(via: String) throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request().setting("Via", via)).first)
      stage.bob(.answer(404, to: invite))
      #expect(stage.alice(.request("ACK", toTag: "other").setting("Via", via)).map(\.method) == ["ACK"])
      #expect(stage.wait(.milliseconds(600)).map(\.status) == [404])
      #expect(stage.alice(.request("ACK", toTag: "b").setting("Via", via)).isEmpty)
      #expect(stage.wait(.seconds(4)).isEmpty)
    }
  }

  /// C51: the ACK of a failure that we made ourselves carries our tag.
  @Test("An RFC 2543 client can acknowledge an answer of ours", arguments: oldVias)
  func oldAckOfOwnAnswer(via: String) throws {
    try withStage { stage in
      let refused = try #require(
        stage.alice(.request().setting("Via", via).setting("Max-Forwards", "0")).first)
      #expect(refused.status == 483)
      #expect(stage.alice(.request("ACK").setting("Via", via).setting("To", refused.value("To"))).isEmpty)
      #expect(stage.wait(.seconds(4)).isEmpty)
    }
  }

  /// C51, B106: the ACK of a 2xx from such a client has the INVITE's Via and passes.
  @Test("The ACK of a 2xx of an RFC 2543 client is forwarded", arguments: oldVias)
  func oldAckOfSuccess(via: String) throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request().setting("Via", via)).first)
      stage.bob(.answer(200, to: invite))
      #expect(stage.alice(.request("ACK", toTag: "b").setting("Via", via)).map(\.destination) == [Place.bob])
      #expect(stage.alice(.request().setting("Via", via)).isEmpty)  // C29
    }
  }

  /// C55: a branch that ended does not come back to life, and its slot serves another under another name.
  @Test("A response to a transaction that ended finds nothing, even when its place is taken")
  func reusedSlot() throws {
    try withStage { stage in
      let old = try #require(stage.alice(.request("MESSAGE", branch: "z9hG4bKold")).first)
      stage.bob(.answer(200, to: old))
      stage.wait(.seconds(60))
      let new = try #require(stage.alice(.request("MESSAGE", branch: "z9hG4bKnew", cSeq: 2)).first)
      #expect(old.branch != new.branch)
      #expect(stage.bob(.answer(200, to: old)).isEmpty)
      #expect(stage.bob(.answer(200, to: new)).map(\.status) == [200])
    }
  }

  /// C48: CSeq decides between an INVITE and our CANCEL of it, which share a branch.
  @Test("A response finds its branch by the method of CSeq")
  func responseMethod() throws {
    try withStage { stage in
      let invite = try #require(stage.alice(.request()).first)
      stage.bob(.answer(180, to: invite))
      let cancel = try #require(stage.alice(.request("CANCEL")).last)
      #expect(cancel.branch == invite.branch)
      #expect(stage.bob(.answer(200, to: cancel)).isEmpty)
      #expect(stage.bob(Draft.answer(200, to: invite).setting("CSeq", "1 MESSAGE")).isEmpty)
      #expect(stage.bob(.answer(200, to: invite)).map(\.status) == [200])
    }
  }
}
