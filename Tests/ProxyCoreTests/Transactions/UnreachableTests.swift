import ProxyCore
import ProxySimulation
import SIPSyntax
import Testing
import Timekeeping

extension Stage {
  /// An ICMP error arrives that quotes these octets; what the proxy sends because of it.
  fileprivate func unreachable(_ quoted: some Sequence<UInt8>) -> [SentMessage] {
    var outbox = Outbox()
    driver.proxy.destinationUnreachable(quoting: Array(quoted).span, at: driver.now, into: &outbox)
    let bytes = outbox.bytes.bytes
    return outbox.sends.map {
      SentMessage(bytes: Array(bytes[$0.bytes.lowerBound..<$0.bytes.upperBound]), flow: $0.flow)
    }
  }
}

extension SentMessage {
  /// Where the branch of the topmost Via stands.
  fileprivate var branchPlace: Range<Int>? {
    let branch = Array(branch.utf8)
    return bytes.indices.first { bytes[$0...].starts(with: branch) }.map { $0..<$0 + branch.count }
  }
}

@Suite("RFC 3261 §17.1.4, §18.4: ICMP errors")
struct UnreachableTests {
  /// D24, C25, B93: as if the request could not have been sent, however little of it is quoted.
  @Test("The quoted start of a request ends its branch once it reaches to the end of our Via's branch")
  func everyLength() throws {
    for method in ["INVITE", "OPTIONS"] {
      try withStage { stage in
        // Rows in front of the first Via stay there.
        let request = Draft.request(method).preceded(by: "Subject: one", "Accept-Language: Via: x")
        let forwarded = try #require(stage.alice(request).first)
        let end = try #require(forwarded.branchPlace).upperBound
        for length in 0..<end { #expect(stage.unreachable(forwarded.bytes.prefix(length)).isEmpty) }
        #expect(stage.count(.branchesUnreachable) == 0)
        let answers = stage.unreachable(forwarded.bytes.prefix(end))
        #expect(answers.map(\.status) == [500])
        #expect(answers.first?.destination == Place.alice)
        #expect(stage.count(.branchesUnreachable) == 1)
        if method == "INVITE" { stage.acknowledge(answers.first) }
        // Late news about the same request.
        #expect(stage.unreachable(forwarded.bytes).isEmpty)
      }
    }
  }

  /// D24, B62: anybody can send an ICMP packet; only our own branch proves that we sent what it quotes.
  @Test("A quotation with a branch that is not ours, or with ours in another place, changes nothing")
  func forged() throws {
    try withStage { stage in
      let forwarded = try #require(stage.alice(.request()).first)
      let branch = forwarded.branch
      let place = try #require(forwarded.branchPlace)
      for offset in 9..<36 {
        var forged = forwarded.bytes
        let index = place.lowerBound + offset
        forged[index] = forged[index] == UInt8(ascii: "0") ? UInt8(ascii: "1") : UInt8(ascii: "0")
        #expect(stage.unreachable(forged).isEmpty, "\(offset)")
      }
      let answer = Draft.answer(503, to: forwarded)
      let elsewhere = [
        answer.bytes, Array("INVITE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h;x=\(branch)\r\n".utf8),
        Array("INVITE sip:b SIP/2.0\r\n\r\nVia: SIP/2.0/UDP h;branch=\(branch)\r\n".utf8),
        Array("INVITE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nVia: SIP/2.0/UDP h;branch=\(branch)\r\n".utf8),
        Array("INVITE sip:b SIP/2.0\r\nSubject: Via: ;branch=\(branch)\r\n".utf8),
        Array("Via: SIP/2.0/UDP h;branch=\(branch)".utf8), [], [13, 10], Array("\r\n\r\n\r\n".utf8),
      ]
      for quoted in elsewhere { #expect(stage.unreachable(quoted).isEmpty, "\(quoted)") }
      #expect(stage.count(.branchesUnreachable) == 0)
      let final = try #require(stage.bob(.answer(486, to: forwarded)).first { $0.status == 486 })
      stage.acknowledge(final)
    }
  }

  /// C25: Proceeding is left by a response, by Timer C or by a CANCEL.
  @Test("An INVITE that rings goes on ringing")
  func ringing() throws {
    try withStage { stage in
      let forwarded = try #require(stage.alice(.request()).first)
      stage.bob(.answer(180, to: forwarded))
      #expect(stage.unreachable(forwarded.bytes).isEmpty)
      let final = try #require(stage.bob(.answer(486, to: forwarded)).first { $0.status == 486 })
      stage.acknowledge(final)
    }
  }

  /// D24, B98: it has its INVITE's branch and is another transaction (RFC 3261 section 9.1).
  @Test("An unreachable CANCEL does not end its INVITE")
  func cancel() throws {
    try withStage { stage in
      let forwarded = try #require(stage.alice(.request()).first)
      stage.bob(.answer(180, to: forwarded))
      let sent = stage.alice(.request("CANCEL"))
      let cancel = try #require(sent.first { $0.method == "CANCEL" })
      let before = stage.driver.proxy.clientTransactionCount
      #expect(stage.unreachable(cancel.bytes).isEmpty)
      #expect(stage.driver.proxy.clientTransactionCount == before - 1)
      let final = try #require(stage.bob(.answer(487, to: forwarded)).first { $0.status == 487 })
      stage.acknowledge(final)
    }
  }

  /// C25: the ACK of a failure is not repeated to where nobody is.
  @Test("An unreachable ACK ends what is left of its transaction, and nothing is sent for it")
  func acknowledgement() throws {
    try withStage { stage in
      let forwarded = try #require(stage.alice(.request()).first)
      let sent = stage.bob(.answer(486, to: forwarded))
      let ack = try #require(sent.first { $0.method == "ACK" })
      #expect(stage.unreachable(ack.bytes).isEmpty)
      #expect(stage.driver.proxy.clientTransactionCount == 0)
      stage.acknowledge(sent.first { $0.status == 486 })
    }
  }
}
