import Foundation
import ProxyCore
import ProxySimulation
import SIPSyntax
import ServerLocation
import Testing

/// What the proxy does with one message that comes to it out of the blue.
struct Reaction {
  /// "forwarded", "dropped", or status and reason of the answer.
  var name: String
  var sent: SentMessage?

  /// Lets the message arrive at a proxy with a next hop, from where its topmost Via says it comes from. Every name has
  /// one address. After it everything runs out and nothing may be left.
  static func to(_ bytes: [UInt8]) throws -> Reaction {
    var reaction = Reaction(name: "dropped")
    try withStage { configuration in
      configuration.nextHop = NextHop(
        uri: Array("sip:198.51.100.99;lr".utf8),
        addresses: [SocketAddress("198.51.100.99:5060")].compactMap { $0 })
      configuration.udpMTU = 65_535
      // RFC 5118 has made our usual IPv6 address the callee's.
      if let bound = SocketAddress("[2001:db8:77::10]:5060") { configuration.listeners[1].bound = bound }
    } _: { stage in
      let host = IPAddress("198.51.100.99").map { DNSRecord.address($0) }
      stage.driver.zone = { question in
        question.type == .a ? .records([host].compactMap(\.self), timeToLive: 60) : .none(timeToLive: 60)
      }
      let sent = stage.driver.deliver(bytes, from: source(of: bytes))
      #expect(sent.count <= 1)
      reaction.sent = sent.first
      if let message = sent.first {
        reaction.name = message.method == nil ? String(message.startLine.dropFirst(8)) : "forwarded"
        try #require(message.status != 100)
        // G4: an answer goes to where the message came from.
        if message.method == nil { #expect(message.flow.remote.ip == SocketAddress(source(of: bytes))?.ip) }
      }
      #expect(stage.driver.proxy.auditDialogs() == nil)
    }
    return reaction
  }

  /// The sent-by of the topmost Via when it is numeric, else some address.
  static func source(of bytes: [UInt8]) -> String {
    var message = SIPMessage()
    _ = message.parse(bytes.span)
    guard message.hasTopVia, let address = message.topVia.hostAddress else { return "198.51.100.7:5060" }
    return SocketAddress(ip: address.canonical, port: message.topVia.port ?? 5060).description
  }
}

/// Compares a forwarded request with the one that came, row by row in raw octets.
struct ForwardedCopy {
  /// Rows with their folding, without the final CRLF; the start line first.
  private static func rows(_ bytes: ArraySlice<UInt8>) -> [[UInt8]] {
    var rows: [[UInt8]] = []
    var row: [UInt8] = []
    var index = bytes.startIndex
    while index < bytes.endIndex {
      if bytes[index] == 13, index + 1 < bytes.endIndex, bytes[index + 1] == 10 {
        let next = index + 2 < bytes.endIndex ? bytes[index + 2] : 0
        if next != 32 && next != 9 {
          if !row.isEmpty { rows.append(row) }
          row = []
          index += 2
          continue
        }
      }
      row.append(bytes[index])
      index += 1
    }
    if !row.isEmpty { rows.append(row) }
    return rows
  }

  /// The difference in words, or nil when the copy differs only by what RFC 3261 §16.6 asks for (B66, E16).
  static func difference(between original: [UInt8], and copy: [UInt8]) -> String? {
    var before = SIPMessage()
    var after = SIPMessage()
    _ = before.parse(original.span)
    guard case .wellFormed = after.parse(copy.span, forwarded: true) else { return "the copy is malformed" }
    let body = original[before.body.lowerBound..<before.body.upperBound]
    guard Array(copy[after.body.lowerBound...]) == Array(body) else { return "the body differs" }
    let start = before.startLine.lowerBound
    var expected = rows(original[start..<before.headersEnd])
    var found = rows(copy[..<after.headersEnd])
    let hosts = ["192.0.2.10", "[2001:db8::10]", "[2001:db8:77::10]"]
    let added =
      hosts.flatMap { ["Via: SIP/2.0/UDP \($0)", "Record-Route: <sip:\($0)"] }
      + ["Max-Breadth: 60", "Route: <sip:198.51.100.99;lr>", "Max-Forwards: 70"]
    for beginning in added.map({ Array($0.utf8) }) {
      guard let place = found.firstIndex(where: { $0.starts(with: beginning) }),
        !expected.contains(found[place])
      else { continue }
      found.remove(at: place)
    }
    if let row = before.first(.maxForwards) { lower(rowNumber: row + 1, &expected, before.maxForwards) }
    if let row = before.first(.via) {
      expected[row + 1] = withoutReceived(expected[row + 1])
      if row + 1 < found.count { found[row + 1] = withoutReceived(found[row + 1]) }
    }
    for (number, row) in expected.enumerated() where number >= found.count || found[number] != row {
      let other = number < found.count ? String(decoding: found[number], as: UTF8.self) : "nothing"
      return "\(String(decoding: row, as: UTF8.self)) became \(other)"
    }
    return found.count == expected.count ? nil : "rows were added"
  }

  /// The row with its number one lower, whatever stood before the digits (B45).
  private static func lower(rowNumber: Int, _ rows: inout [[UInt8]], _ hops: MaxForwards) {
    guard case .value(let number) = hops else { return }
    var row = rows[rowNumber]
    while let last = row.last, last >= 48 && last <= 57 { row.removeLast() }
    rows[rowNumber] = row + Array("\(number - 1)".utf8)
  }

  /// What we write into the topmost Via: `received` (B4, D13), and the value of `rport`.
  private static func withoutReceived(_ row: [UInt8]) -> [UInt8] {
    let text = String(decoding: row, as: UTF8.self)
    guard let range = text.range(of: ";received=") else { return row }
    let end = text[range.upperBound...].firstIndex { $0 == ";" || $0 == "," || $0 == " " } ?? text.endIndex
    return Array((text[..<range.lowerBound] + text[end...]).utf8)
  }
}
