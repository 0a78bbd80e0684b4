import ProxyCore
import ProxySimulation
import Testing

/// One datagram is one message; Content-Length says how much of it counts.
@Suite("RFC 3261 §18.3: framing over UDP")
struct DatagramFramingTests {
  private func message(_ draft: Draft, length: String?, body: String) -> Draft {
    var draft = draft.setting("Content-Length", length)
    draft.body = Array(body.utf8)
    return draft
  }

  /// D28: what follows the body is never forwarded, in requests and responses.
  @Test("Octets behind Content-Length are dropped")
  func trailingOctets() throws {
    try withStage { stage in
      let tail = "bodyINVITE sip:evil@198.51.100.66 SIP/2.0\r\n\r\n"
      let sent = try #require(stage.alice(message(.request(), length: "4", body: tail)).first)
      #expect(sent.body == Array("body".utf8))
      let back = try #require(stage.bob(message(.answer(183, to: sent), length: " 0004 ", body: tail)).first)
      #expect(back.body == Array("body".utf8))
      let final = try #require(stage.bob(message(.answer(200, to: sent), length: "0", body: tail)).first)
      #expect(final.body.isEmpty)
    }
  }

  /// D29.
  @Test("A datagram shorter than Content-Length: 400 to a request, silence to a response and to an ACK")
  func shortDatagram() throws {
    try withStage { stage in
      #expect(stage.alice(message(.request(), length: "5", body: "body")).map(\.status) == [400])
      #expect(stage.alice(message(.request("ACK", toTag: "b"), length: "5", body: "body")).isEmpty)
      let sent = try #require(stage.alice(.request()).first)
      #expect(stage.bob(message(.answer(200, to: sent), length: "5", body: "body")).isEmpty)
      #expect(stage.count(.droppedMalformedResponse) == 1)
      #expect(stage.bob(.answer(200, to: sent)).count == 1)
    }
  }

  /// D30, E41.
  @Test("Without Content-Length the body runs to the end of the datagram")
  func withoutContentLength() throws {
    try withStage { stage in
      let sent = try #require(stage.alice(message(.request(), length: nil, body: "to the end\r\n\r\n")).first)
      #expect(sent.body == Array("to the end\r\n\r\n".utf8))
      let back = try #require(stage.bob(message(.answer(200, to: sent), length: nil, body: "\0")).first)
      #expect(back.body == [0])
    }
  }

  /// D6: nearly as large as UDP can carry.
  @Test("A datagram of 65,000 octets passes; one that grows beyond what fits is answered 513")
  func largeDatagrams() throws {
    try withStage {
      $0.udpMTU = 65_535
    } _: { stage in
      let large = [UInt8](repeating: 90, count: 64_500)
      let sent = try #require(stage.alice(Draft.request("MESSAGE").with(body: large)).first)
      #expect(sent.body == large)
      let tooLarge = [UInt8](repeating: 90, count: 65_507 - Draft.request("MESSAGE").bytes.count - 10)
      let answer = stage.alice(Draft.request("MESSAGE", branch: "z9hG4bKbig").with(body: tooLarge))
      #expect(answer.map(\.status) == [513])
    }
  }

  /// D68, E20, E3, E7: what is no SIP message gets no answer.
  @Test(
    "Keep-alives and garbage are dropped in silence",
    arguments: [
      "", "\r\n\r\n", "\r\n", "\0\0\0\0", "hello", "GET / HTTP/1.1\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n",
      "SIP/3.0 200 OK\r\n\r\n", "\u{0}\u{1}\0\0!\u{12}", " \r\n",
    ])
  func noMessage(text: String) throws {
    try withStage { stage in
      #expect(stage.driver.deliver(Array(text.utf8), from: Place.alice).isEmpty)
      #expect(stage.count(.requestsForwarded) == 0)
    }
  }
}
