import ProxyCore
import SIPSyntax
import ServerLocation

/// Looks at everything that leaves the core.
struct CoreJudge: ~Copyable {
  private var message = SIPMessage()
  private var heardFrom: Set<IPAddress> = []
  private var callsWithBye: Set<Octets> = []
  private var largestInput = 0
  /// How the last message came in.
  private var arrival: Flow?
  private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325

  /// A message is about to be given to the proxy.
  mutating func heard(_ text: Octets, over flow: Flow) {
    arrival = flow
    heardFrom.insert(flow.remote.ip)
    largestInput = max(largestInput, text.count)
    _ = message.parse(text.span)
    if message.isRequest, message.method == .bye { callsWithBye.insert(text.span.octets(message.callID)) }
  }

  /// Judges what one event made the proxy send.
  mutating func judge(_ outbox: borrowing Outbox, causedBy input: Octets, among peers: CorePeers) {
    // A datagram starts at most a few messages; one call of `advance` fires a bounded number of timers.
    require(outbox.sends.count <= (input.isEmpty ? 1024 : 8), "one event sends few messages")
    for question in outbox.questions {
      for octet in question.name.bytes { digest = (digest ^ UInt64(octet)) &* 0x100_0000_01B3 }
    }
    var end = 0
    for send in outbox.sends {
      requireInside(send.bytes, outbox.bytes.count, "message in the outbox")
      require(send.bytes.lowerBound >= end && !send.bytes.isEmpty, "messages stand one behind the other")
      end = send.bytes.upperBound
      // A hop adds Via, Record-Route, Route and a few short rows.
      require(send.bytes.count <= largestInput + 2048, "what is sent is not much longer than what came")
      require(send.bytes.count <= 65_507, "what is sent fits into a datagram")
      requireInside(send.peer, outbox.bytes.count, "domain of the next hop")
      judge(send.flow)
      let bytes = outbox.bytes.bytes.span.octets(send.bytes)
      for octet in bytes { digest = (digest ^ UInt64(octet)) &* 0x100_0000_01B3 }
      digest = (digest ^ UInt64(send.flow.remote.port)) &* 0x100_0000_01B3
      if bytes[0] <= 1, let arrival {
        CoreStun.judge(bytes, over: send.flow, to: input, from: arrival)
      } else {
        judge(bytes, send.flow, among: peers)
      }
    }
  }

  /// G9: a place that one peer can be at, from a socket that can reach it.
  private func judge(_ flow: Flow) {
    require(flow.listener <= CorePeers.Listeners.tls, "a message leaves by one of our sockets")
    let ip = flow.remote.ip.canonical
    require(
      flow.remote.port != 0 && !ip.isUnspecified && !ip.isMulticast && !ip.isBroadcast, "one peer: \(flow)")
    require(
      (ip.family == .v6) == (flow.listener == CorePeers.Listeners.udp6), "a socket of its family: \(flow)")
  }

  /// E45: what we send can be read, and by our own reading it is what we meant.
  private mutating func judge(_ bytes: Octets, _ flow: Flow, among peers: CorePeers) {
    let outcome = message.parse(bytes.span, forwarded: true)
    let isResponse = bytes.starts(with: Array("SIP/2.0 ".utf8))
    require(message.isRequest != isResponse, "kind of message")
    require(bytes.first != 13 && bytes.first != 10, "no empty line stands before a message")
    guard isResponse else {
      guard case .wellFormed = outcome else {
        violated("a request that leaves is well-formed", #fileID, #line)
      }
      require(message.messageEnd == bytes.count, "a request ends where it ends")
      require(message.topVia.host.count > 0 && message.topVia.hasMagicCookie, "our Via is on top")
      // B52, G36: a SIPS URI is followed over TLS only.
      let isSecure = bytes.span.octets(message.requestURI).prefix(5).elementsEqual("sips:".utf8)
      require(!isSecure || flow.listener == CorePeers.Listeners.tls, "a SIPS URI is followed over TLS")
      require(
        !flow.isExclusive || flow.connection.isNone || peers.isOpen(flow.connection),
        "a connection that is open")
      // RFC 4028 §8.3: a proxy never makes a BYE.
      if message.method == .bye {
        require(
          callsWithBye.contains(bytes.span.octets(message.callID)), "a BYE leaves only where one came in")
      }
      return
    }
    // D20, D21: an answer goes to an address we heard from.
    require(heardFrom.contains(flow.remote.ip), "an answer goes to an address we heard from")
    require(message.messageEnd == bytes.count, "a response ends where it ends")
    // An answer to a malformed request copies what there is of it (E19).
    if case .wellFormed = outcome { return }
    let isRefusal = [400, 414, 501, 505].contains(message.status)
    require(isRefusal, "a response that leaves is well-formed, but for the refusal of a malformed request")
  }
}
