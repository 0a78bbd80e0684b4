// What must leave the proxy, computed from what came in: the changes of B66 by number, the session-timer
// edits a test names, and not one octet more. Whole messages are compared.

import ProxySimulation
import Testing

/// A change that RFC 4028 makes to a header section. Rows are given without their final line break, folding
/// included.
enum RowEdit: Sendable, CustomStringConvertible {
  /// A row that is there gets other octets.
  case change(String, to: String)
  /// A row is added at the end of the header section.
  case append(String)
  /// A row leaves.
  case remove(String)

  var description: String {
    switch self {
    case .change(let old, let new): "\(old) -> \(new)"
    case .append(let row): "+ \(row)"
    case .remove(let row): "- \(row)"
    }
  }
}

/// A message cut into start line, rows and body, octet for octet.
struct RawMessage {
  /// Start line and rows without their final CR LF; folded lines stay with their row.
  var rows: [[UInt8]] = []
  var body: [UInt8] = []

  init(_ bytes: [UInt8]) {
    var row: [UInt8] = []
    var position = 0
    while position + 1 < bytes.count {
      let isBreak = bytes[position] == 13 && bytes[position + 1] == 10
      let next = position + 2 < bytes.count ? bytes[position + 2] : 0
      if isBreak, row.isEmpty {
        body = Array(bytes[(position + 2)...])
        return
      }
      if isBreak, next != 32, next != 9 {
        rows.append(row)
        row = []
        position += 2
      } else {
        row.append(bytes[position])
        position += 1
      }
    }
  }

  var bytes: [UInt8] { rows.flatMap { $0 + [13, 10] } + [13, 10] + body }

  mutating func apply(_ edits: [RowEdit]) {
    for edit in edits {
      switch edit {
      case .change(let old, let new):
        guard let index = rows.firstIndex(of: Array(old.utf8)) else {
          Issue.record("the input has no row “\(old)”")
          continue
        }
        rows[index] = Array(new.utf8)
      case .append(let row):
        rows.append(Array(row.utf8))
      case .remove(let row):
        guard let index = rows.firstIndex(of: Array(row.utf8)) else {
          Issue.record("the input has no row “\(row)”")
          continue
        }
        rows.remove(at: index)
      }
    }
  }

  /// What section 16.6 changes in a request of this folder's calls: our Via on top, our Record-Route below
  /// all of them where the method has one, our Route value gone, one hop less. Via and Record-Route are taken from
  /// `output` after a look at their form, because they carry a MAC.
  mutating func applyHop(of method: String, seenIn output: RawMessage) {
    let recordRouted = ![
      "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "MESSAGE", "INFO", "PUBLISH",
    ]
    .contains(method)
    func take(_ position: Int, _ prefix: String) {
      guard position < output.rows.count else { return }
      let row = output.rows[position]
      #expect(row.starts(with: Array(prefix.utf8)))
      rows.insert(row, at: position)
    }
    rows.removeAll { $0.starts(with: Array("Route: <sip:192.0.2.10:5060;lr;ck=".utf8)) }
    if let hops = rows.firstIndex(of: Array("Max-Forwards: 70".utf8)) {
      rows[hops] = Array("Max-Forwards: 69".utf8)
    }
    take(1, "Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bKc")
    let vias =
      rows.lastIndex { $0.starts(with: Array("Via:".utf8)) || $0.starts(with: Array("v:".utf8)) } ?? 1
    if recordRouted { take(vias + 1, "Record-Route: <sip:192.0.2.10:5060;lr;ck=") }
  }
}

extension WireExchange {
  /// The request must have gone to the other side, and nowhere else, with these edits and no other.
  func expectForwarded(_ edits: [RowEdit] = [], sourceLocation: SourceLocation = #_sourceLocation) {
    guard sent.count == 1, let forwarded else {
      Issue.record("\(method) was not forwarded alone: \(sent)", sourceLocation: sourceLocation)
      return
    }
    var expected = RawMessage(input)
    expected.apply(edits)
    expected.applyHop(of: method, seenIn: RawMessage(forwarded.bytes))
    #expect(forwarded.destination == sender.other.address, sourceLocation: sourceLocation)
    expectSame(forwarded.bytes, expected.bytes, sourceLocation)
  }

  /// The request must have been answered 422 with this Min-SE, and not forwarded.
  func expectRejected(minSE: Int, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(sent.count == 1 && forwarded == nil, sourceLocation: sourceLocation)
    #expect(ownAnswer?.status == 422, sourceLocation: sourceLocation)
    #expect(ownAnswer?.values("Min-SE") == ["\(minSE)"], sourceLocation: sourceLocation)
    #expect(ownAnswer?.destination == sender.address, sourceLocation: sourceLocation)
  }
}

extension WireReply {
  /// The answer must have gone back, and nothing else toward its receiver, with these edits and no other.
  func expectForwarded(_ edits: [RowEdit] = [], sourceLocation: SourceLocation = #_sourceLocation) {
    let upstream = sent.filter { $0.method != "ACK" }
    guard upstream.count == 1, let forwarded else {
      Issue.record("the answer was not forwarded alone: \(sent)", sourceLocation: sourceLocation)
      return
    }
    var expected = RawMessage(input)
    expected.rows.remove(at: 1)
    expected.apply(edits)
    #expect(forwarded.destination == exchange.sender.address, sourceLocation: sourceLocation)
    expectSame(forwarded.bytes, expected.bytes, sourceLocation)
  }
}

/// Octets first, then the texts, so that a difference can be read.
private func expectSame(_ actual: [UInt8], _ expected: [UInt8], _ sourceLocation: SourceLocation) {
  guard actual != expected else { return }
  #expect(
    String(decoding: actual, as: UTF8.self) == String(decoding: expected, as: UTF8.self),
    sourceLocation: sourceLocation)
  if String(decoding: actual, as: UTF8.self) == String(decoding: expected, as: UTF8.self) {
    Issue.record("octets differ that no text shows", sourceLocation: sourceLocation)
  }
}
