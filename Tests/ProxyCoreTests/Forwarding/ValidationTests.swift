import ProxyCore
import ProxySimulation
import SIPSyntax
import Testing
import Timekeeping

/// What the proxy refuses before it forwards anything, and how it says so.
@Suite("RFC 3261 §16.3: request validation")
struct ValidationTests {
  /// B9, E18, E19, E27: the reason names the field at fault; what cannot be copied is left out.
  @Test(
    "A field that routing or the transaction needs is missing or malformed: one 400 that names it",
    arguments: [
      ("Call-ID", nil, "Call-ID"), ("From", nil, "From"), ("To", nil, "To"), ("CSeq", nil, "CSeq"),
      ("CSeq", "x INVITE", "CSeq"), ("CSeq", "1 OPTIONS", "CSeq"), ("CSeq", "4294967296 INVITE", "CSeq"),
      ("To", "\"Bob <sip:bob@example.com>", "To"), ("Max-Forwards", "many", "Max-Forwards"),
      ("Route", "<sip:192.0.2.77;lr", "Route"), ("Content-Length", "-1", "Content-Length"),
    ] as [(String, String?, String)])
  func malformed(field: String, value: String?, named: String) throws {
    try withStage { stage in
      let request = Draft.request().setting(field, value)
      for _ in 1...2 {  // Nothing is kept: a repeated one is answered the same way (G6).
        let answers = stage.alice(request)
        #expect(answers.count == 1)
        #expect(answers.first?.status == 400)
        #expect(answers.first?.startLine.contains(named) == true, "\(answers)")
        #expect(answers.first?.destination == Place.alice)
        #expect(stage.driver.proxy.serverTransactionCount == 0)
      }
    }
  }

  /// B9, E5, E6.
  @Test(
    "A malformed Request-URI is answered 400",
    arguments: [
      "<sip:bob@198.51.100.2>", "sip:bob@2001:db8::1", "sip:bob@198.51.100.2?Route=%3Csip:x%3E", "sip:",
    ])
  func malformedRequestURI(uri: String) throws {
    try withStage { stage in
      let answers = stage.alice(.request("OPTIONS", uri))
      #expect(answers.map(\.status) == [400])
    }
  }

  /// B11, B12: what To says is of no use to routing.
  @Test(
    "A scheme we do not understand is answered 416, whatever To says",
    arguments: [
      "mailto:bob@example.com", "nobody-knows:bob@198.51.100.2", "tel:+358555", "sips:bob@198.51.100.2",
    ])
  func unknownScheme(uri: String) throws {
    try withStage { stage in
      let answers = stage.alice(.request("OPTIONS", uri).setting("To", "<sip:bob@198.51.100.2:5070>"))
      #expect(answers.map(\.status) == [416])
    }
  }

  /// B11: a gateway behind the next hop knows telephone numbers.
  @Test("tel is understood when a next hop is configured to take it")
  func telephoneNumber() throws {
    try withStage { configuration in
      configuration.nextHop = NextHop(
        uri: Array("sip:192.0.2.99;lr".utf8), addresses: [SocketAddress("192.0.2.99:5060")].compactMap { $0 })
    } _: { stage in
      let sent = stage.alice(.request("INVITE", "tel:+358-555-1234567"))
      #expect(sent.first?.startLine == "INVITE tel:+358-555-1234567 SIP/2.0")
      #expect(sent.first?.destination == "192.0.2.99:5060")
    }
  }

  /// B14: the decision is 483; only an OPTIONS for the proxy itself is answered as its recipient.
  @Test("Max-Forwards 0 is answered 483, with a To tag, and absorbed when it comes again")
  func noHopsLeft() throws {
    try withStage { stage in
      for method in ["INVITE", "OPTIONS", "BYE", "ODD"] {
        let request = Draft.request(method, branch: "z9hG4bK0\(method)").setting("Max-Forwards", "0")
        let answer = try #require(stage.alice(request).first)
        #expect(answer.status == 483)
        #expect(answer.value("To")?.contains(";tag=") == true)
        #expect(stage.alice(request).map(\.bytes) == [answer.bytes])
      }
    }
  }

  /// B14: OPTIONS to our address without a user part. B40: nobody lives here.
  @Test(
    "A request for the proxy itself: OPTIONS is answered 200, anything else 404",
    arguments: [
      ("OPTIONS", "sip:192.0.2.10", "70", 200), ("OPTIONS", "sip:192.0.2.10:5060", "0", 200),
      ("OPTIONS", "sip:PROXY.example.com", "70", 200), ("OPTIONS", "sip:[2001:DB8:0::10]:5060", "70", 200),
      ("OPTIONS", "sip:bob@192.0.2.10", "70", 404), ("INVITE", "sip:192.0.2.10", "70", 404),
      ("MESSAGE", "sip:bob@proxy.example.com:5060", "70", 404), ("REGISTER", "sip:192.0.2.10", "70", 404),
    ])
  func forTheProxy(method: String, uri: String, maxForwards: String, status: Int) throws {
    try withStage {
      $0.ownNames = [OwnName(host: Array("proxy.example.com".utf8), port: nil)]
    } _: { stage in
      let answers = stage.alice(.request(method, uri).setting("Max-Forwards", maxForwards))
      #expect(answers.map(\.status) == [status])
      if status == 200 { #expect(answers.first?.value("Accept") != nil) }
    }
  }

  /// B23, A48: `timer` is understood in any letter case; the others are listed, in order, and no more.
  @Test(
    "Proxy-Require with a tag we do not understand is answered 420",
    arguments: [
      (["Proxy-Require: timer"], nil), (["Proxy-Require: TIMER", "proxy-require: timer"], nil),
      (
        ["Proxy-Require: nothingSupportsThis, timer, nothingSupportsThisEither"],
        "nothingSupportsThis, nothingSupportsThisEither"
      ),
      (["Proxy-Require: timer", "Proxy-Require: timers"], "timers"),
      (["Supported: foo", "Proxy-Require: foo"], "foo"),
    ] as [([String], String?)])
  func proxyRequire(rows: [String], unsupported: String?) throws {
    try withStage { stage in
      for method in ["INVITE", "OPTIONS"] {
        var request = Draft.request(method, branch: "z9hG4bK\(method)")
        request.rows += rows
        let reaction = try #require(stage.alice(request).first)
        if let unsupported {
          #expect(reaction.status == 420)
          #expect(reaction.values("Unsupported") == [unsupported])
        } else {
          #expect(reaction.method == method)
          #expect(reaction.values("Proxy-Require").isEmpty == false)
        }
      }
    }
  }

  /// B24, B15, B108.
  @Test("Proxy-Require is ignored in ACK and CANCEL; an ACK is never answered")
  func ackAndCancel() throws {
    try withStage { stage in
      let ack = stage.alice(.request("ACK", toTag: "b").with("Proxy-Require: foo"))
      #expect(ack.map(\.method) == ["ACK"])
      let cancel = stage.alice(.request("CANCEL").with("Proxy-Require: foo"))
      #expect(cancel.map(\.method) == ["CANCEL"])
      #expect(stage.alice(.request("ACK", toTag: "b").setting("Max-Forwards", "0")).isEmpty)
      #expect(stage.alice(.request("ACK", toTag: "b").setting("CSeq", "x ACK")).isEmpty)
      #expect(stage.alice(.request("ACK", "mailto:bob@example.com", toTag: "b")).isEmpty)
      #expect(stage.alice(.request("ACK", "sip:192.0.2.10", toTag: "b")).isEmpty)
    }
  }

  /// B25, A47: what the user agent server must support is none of our business.
  @Test("Require is not examined")
  func requireIsForTheServer() throws {
    try withStage { stage in
      let sent = stage.alice(.request().with("Require: timer, nothingSupportsThis"))
      #expect(sent.first?.method == "INVITE")
      #expect(sent.first?.values("Require") == ["timer, nothingSupportsThis"])
    }
  }

  /// B3, B4, G6, A56: Via, From, Call-ID and CSeq are copied, To gets a tag, always the same for one request.
  @Test("An answer of ours copies what it must and has one To tag per request")
  func ownAnswers() throws {
    try withStage { stage in
      let request = Draft.request(branch: "z9hG4bKone").setting("Max-Forwards", "0")
        .with("Via: SIP/2.0/TCP below.example.net;branch=z9hG4bKbelow")
      let first = try #require(stage.alice(request).first)
      #expect(
        first.values("Via") == [
          "SIP/2.0/UDP 203.0.113.5:5062;branch=z9hG4bKone",
          "SIP/2.0/TCP below.example.net;branch=z9hG4bKbelow",
        ])
      #expect(first.value("From") == "<sip:alice@example.com>;tag=a")
      #expect(first.value("Call-ID") == "call@203.0.113.5")
      #expect(first.value("CSeq") == "1 INVITE")
      #expect(first.value("Content-Length") == "0")
      let cancel = try #require(stage.alice(.request("CANCEL", branch: "z9hG4bKone")).first)
      #expect(cancel.status == 200)
      #expect(cancel.value("To") == first.value("To"))
      let other = stage.alice(.request(branch: "z9hG4bKtwo", cSeq: 2).setting("Max-Forwards", "0"))
      #expect(other.first?.value("To") != first.value("To"))
      let inDialog = stage.alice(
        .request(branch: "z9hG4bKthree", cSeq: 3, toTag: "b").setting("Max-Forwards", "0"))
      #expect(inDialog.first?.value("To") == "<sip:bob@example.com>;tag=b")
    }
  }
}
