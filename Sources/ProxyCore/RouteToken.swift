// RFC 3261 section 16.6 item 4 (B57), RFC 5626 section 5.2 (D69, D72): what our Record-Route URI says.
//
// Left open: the state a proxy may put there and how it is protected. The value of the URI parameter
// `ck` is base64url of
//   KIND(1) [CLIENT(2) LISTENER(2) PORT(2) ADDRESS(4 or 16)] MAC(8)
// The MAC covers the Call-ID too, so a token seen in one call opens no other. A token with a flow leads
// in-dialog requests back to a client whose Contact cannot be reached (behind NAT). CLIENT is a hash of that
// client's tag: its own requests are known by their From tag, also when its address has changed since.

import PagedStorage
import SIPSyntax

/// A verified token of ours.
struct RouteToken: Equatable {
  /// The flow on which the dialog-forming request came, when later requests need it.
  var flow: Flow?
  /// Hash of the tag of the client at the flow's other end.
  var client: UInt16 = 0
}

/// Writes and verifies the tokens in our Record-Route URIs.
struct RouteTokenCodec {
  private let key: HashKey

  init(key: HashKey) { self.key = key }

  private static let callLabel: UInt64 = 0x636b_2d63_616c_6c31

  private enum Kind: UInt8 { case call = 1, flowV4 = 2, flowV6 = 3 }

  /// Appends a token for the call, with the flow and the tag of its client when a flow is given.
  func write(
    callID: ByteRange, clientTag: ByteRange, in bytes: Span<UInt8>, flow: Flow?, to output: inout OutputBuffer
  ) {
    var content = TokenBytes()
    if let flow {
      let isV4 = flow.remote.ip.family == .v4
      content.append(isV4 ? Kind.flowV4.rawValue : Kind.flowV6.rawValue)
      content.append(UInt64(clientHash(clientTag, in: bytes)), octets: 2)
      content.append(UInt64(flow.listener), octets: 2)
      content.append(UInt64(flow.remote.port), octets: 2)
      if isV4 {
        content.append(UInt64(flow.remote.ip.v4), octets: 4)
      } else {
        content.append(flow.remote.ip.high, octets: 8)
        content.append(flow.remote.ip.low, octets: 8)
      }
    } else {
      content.append(Kind.call.rawValue)
    }
    content.append(mac(of: content, callID: callID, in: bytes), octets: 8)
    content.writeBase64(to: &output)
  }

  /// The token in a URI, or nil when it is not ours, was altered, or belongs to another call.
  func verify(_ text: ByteRange, callID: ByteRange, in bytes: Span<UInt8>) -> RouteToken? {
    guard var content = TokenBytes(base64: text, in: bytes), content.count > 8 else { return nil }
    let claimed = content.removeLast(octets: 8)
    guard claimed == mac(of: content, callID: callID, in: bytes), let kind = Kind(rawValue: content[0])
    else { return nil }
    switch kind {
    case .call:
      return content.count == 1 ? RouteToken(flow: nil) : nil
    case .flowV4:
      guard content.count == 11 else { return nil }
      let ip = IPAddress(v4: UInt32(truncatingIfNeeded: content.number(at: 7, octets: 4)))
      return token(content, to: ip)
    case .flowV6:
      guard content.count == 23 else { return nil }
      let ip = IPAddress(v6High: content.number(at: 7, octets: 8), v6Low: content.number(at: 15, octets: 8))
      return token(content, to: ip)
    }
  }

  private func token(_ content: TokenBytes, to ip: IPAddress) -> RouteToken {
    let listener = UInt16(truncatingIfNeeded: content.number(at: 3, octets: 2))
    let port = UInt16(truncatingIfNeeded: content.number(at: 5, octets: 2))
    let any = ip.family == .v4 ? IPAddress(v4: 0) : IPAddress(v6High: 0, v6Low: 0)
    let flow = Flow(listener: listener, remote: SocketAddress(ip: ip, port: port), local: any)
    return RouteToken(flow: flow, client: UInt16(truncatingIfNeeded: content.number(at: 1, octets: 2)))
  }

  /// Sixteen bits that tell a client of a call by its tag.
  func clientHash(_ tag: ByteRange, in bytes: Span<UInt8>) -> UInt16 {
    var hasher = KeyedHasher(key: key, output: .bits64)
    hasher.append(UInt64(0x636b_2d63_6c69_656e))
    hasher.append(bytes, from: tag.lowerBound, to: tag.upperBound)
    return UInt16(truncatingIfNeeded: hasher.finish64())
  }

  private func mac(of content: TokenBytes, callID: ByteRange, in bytes: Span<UInt8>) -> UInt64 {
    var hasher = KeyedHasher(key: key, output: .bits64)
    hasher.append(Self.callLabel)
    hasher.append(UInt64(content.count))
    for position in 0..<content.count { hasher.append(content[position]) }
    hasher.append(bytes, from: callID.lowerBound, to: callID.upperBound)
    return hasher.finish64()
  }
}

/// The few octets of a token, without a heap allocation.
struct TokenBytes {
  private var octets = InlineArray<32, UInt8>(repeating: 0)
  private(set) var count = 0

  init() {}

  subscript(position: Int) -> UInt8 { octets[position] }

  mutating func append(_ octet: UInt8) {
    precondition(count < 32, "a token has at most 31 octets")
    octets[count] = octet
    count += 1
  }

  mutating func append(_ number: UInt64, octets width: Int) {
    var shift = UInt64(width) * 8
    while shift > 0 {
      shift -= 8
      append(UInt8(truncatingIfNeeded: number >> shift))
    }
  }

  func number(at start: Int, octets width: Int) -> UInt64 {
    var number: UInt64 = 0
    for position in start..<start + width { number = number << 8 | UInt64(octets[position]) }
    return number
  }

  mutating func removeLast(octets width: Int) -> UInt64 {
    count -= width
    return number(at: count, octets: width)
  }

  /// Decodes base64url without padding; nil for other characters, too many, or stray bits.
  init?(base64 text: ByteRange, in bytes: Span<UInt8>) {
    guard text.upperBound <= bytes.count, text.count <= 42 else { return nil }
    var bits: UInt32 = 0
    var available: UInt32 = 0
    var position = text.lowerBound
    while position < text.upperBound {
      guard let digit = Self.digit(bytes[position]) else { return nil }
      bits = bits << 6 | UInt32(digit)
      available += 6
      if available >= 8 {
        available -= 8
        append(UInt8(truncatingIfNeeded: bits >> available))
        bits &= (1 << available) - 1
      }
      position += 1
    }
    guard available < 6, bits == 0 else { return nil }
  }

  /// Appends these octets as base64url without padding: only token characters.
  func writeBase64(to output: inout OutputBuffer) {
    var bits: UInt32 = 0
    var available: UInt32 = 0
    for position in 0..<count {
      bits = bits << 8 | UInt32(octets[position])
      available += 8
      while available >= 6 {
        available -= 6
        output.append(Self.character(UInt8(truncatingIfNeeded: bits >> available & 63)))
      }
      bits &= (1 << available) - 1
    }
    if available > 0 {
      output.append(Self.character(UInt8(truncatingIfNeeded: bits << (6 - available) & 63)))
    }
  }

  private static func digit(_ character: UInt8) -> UInt8? {
    switch character {
    case 0x41...0x5A: character - 0x41
    case 0x61...0x7A: character - 0x61 + 26
    case 0x30...0x39: character - 0x30 + 52
    case 0x2D: 62
    case 0x5F: 63
    default: nil
    }
  }

  private static func character(_ digit: UInt8) -> UInt8 {
    switch digit {
    case 0..<26: digit + 0x41
    case 26..<52: digit - 26 + 0x61
    case 52..<62: digit - 52 + 0x30
    case 62: 0x2D
    default: 0x5F
    }
  }
}
