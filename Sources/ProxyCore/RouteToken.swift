// RFC 3261 section 16.6 item 4 (B57), RFC 5626 section 5.2 (D69, D70, D72): what our Record-Route and Path URIs say.
//
// Left open: the state a proxy may put there and how it is protected. The value of the URI parameter
// `ck` is base64url of
//   KIND(1) [CHECK(4) LISTENER(2) PORT(2) [SLOT(4) GENERATION(4)] ADDRESS(4 or 16)] MAC(8)
// A token of a call has a MAC that covers the Call-ID, so that one seen in one call opens no other. With a flow
// it leads in-dialog requests to a client that cannot be reached by its Contact. CHECK is a hash of a tag of
// the call: that of the client at the flow's end, whose own requests are so known, also when its address has
// changed since; or, for a callee whose tag is not known yet, that of the other party. A token of a
// registration has a MAC of its own kind without Call-ID, and a hash of the address of record as CHECK.

import PagedStorage
import SIPSyntax

/// A verified token of ours, as far as it concerns the request it was found in.
struct RouteToken: Equatable {
  /// What the MAC is about.
  enum Kind { case call, registration }

  var kind: Kind
  /// Where it leads this request; nil when it names no flow, or the request comes from the flow's own client.
  var flow: Flow?
}

/// Which party of a call is at the far end of a flow.
enum FlowEnd {
  /// The one whose tag the token names.
  case tagged
  /// The other one.
  case untagged
}

/// The first octet of a token.
private struct TokenShape {
  let octet: UInt8

  static let callOnly = TokenShape(octet: 1)

  private static var v4: UInt8 { 2 }
  private static var v6: UInt8 { 3 }
  private static var connection: UInt8 { 0x10 }
  private static var untagged: UInt8 { 0x20 }
  private static var registration: UInt8 { 0x40 }

  private init(octet: UInt8) { self.octet = octet }

  /// The shape of a token that names a flow.
  init(_ flow: Flow, leadsTo end: FlowEnd, _ kind: RouteToken.Kind) {
    var octet = flow.remote.ip.family == .v4 ? Self.v4 : Self.v6
    if !flow.connection.isNone { octet |= Self.connection }
    if end == .untagged { octet |= Self.untagged }
    if kind == .registration { octet |= Self.registration }
    self.octet = octet
  }

  /// The shape that an octet means, or nil.
  init?(received octet: UInt8) {
    self.octet = octet
    guard octet != 1 else { return }
    let address = octet & 0x0F
    guard address == Self.v4 || address == Self.v6, octet & 0x80 == 0,
      !(end == .untagged && kind == .registration)
    else { return nil }
  }

  var hasFlow: Bool { octet != 1 }
  var isV4: Bool { octet & 0x0F == Self.v4 }
  var hasConnection: Bool { octet & Self.connection != 0 }
  var end: FlowEnd { octet & Self.untagged == 0 ? .tagged : .untagged }
  var kind: RouteToken.Kind { octet & Self.registration == 0 ? .call : .registration }

  /// Octets before the MAC.
  var length: Int { hasFlow ? 9 + (hasConnection ? 8 : 0) + (isV4 ? 4 : 16) : 1 }
}

/// Writes and verifies the tokens in our URIs.
struct RouteTokenCodec {
  private let key: HashKey

  init(key: HashKey) { self.key = key }

  private static let callLabel: UInt64 = 0x636b_2d63_616c_6c31
  private static let registrationLabel: UInt64 = 0x636b_2d70_6174_6831

  /// Appends the token of a call; with a flow it leads there whom the named tag and the flow's end tell.
  func write(
    callID: ByteRange, tag: ByteRange, in bytes: Span<UInt8>, flow: Flow?, end: FlowEnd = .tagged,
    to output: inout OutputBuffer
  ) {
    var content = TokenBytes()
    if let flow {
      content.append(flow, TokenShape(flow, leadsTo: end, .call), check: tagHash(tag, in: bytes))
    } else {
      content.append(TokenShape.callOnly.octet)
    }
    content.append(mac(of: content, .call, callID: callID, in: bytes), octets: 8)
    content.writeBase64(to: &output)
  }

  /// Appends the token of a registration: its flow, bound to the address of record.
  func write(
    addressOfRecord: ByteRange, in bytes: Span<UInt8>, flow: Flow, to output: inout OutputBuffer
  ) {
    var content = TokenBytes()
    let shape = TokenShape(flow, leadsTo: .tagged, .registration)
    content.append(flow, shape, check: tagHash(addressOfRecord, in: bytes))
    content.append(mac(of: content, .registration, callID: .none, in: bytes), octets: 8)
    content.writeBase64(to: &output)
  }

  /// What a token in a URI of a request means for that request; nil when it is not ours, was altered, or belongs to
  /// another call.
  func verify(
    _ text: ByteRange, callID: ByteRange, fromTag: ByteRange, in bytes: Span<UInt8>
  ) -> RouteToken? {
    guard var content = TokenBytes(base64: text, in: bytes), content.count > 8 else { return nil }
    let claimed = content.removeLast(octets: 8)
    guard let shape = TokenShape(received: content[0]), content.count == shape.length,
      claimed == mac(of: content, shape.kind, callID: callID, in: bytes)
    else { return nil }
    guard shape.hasFlow else { return RouteToken(kind: .call) }
    if shape.kind == .call {
      let isFromTagged = UInt64(tagHash(fromTag, in: bytes)) == content.number(at: 1, octets: 4)
      guard isFromTagged == (shape.end == .untagged) else { return RouteToken(kind: .call) }
    }
    return RouteToken(kind: shape.kind, flow: content.flow(shape))
  }

  /// What tells the parties of a call apart by their tags: 32 bits, for with 16 one call in 65,536 lost its flow.
  private func tagHash(_ tag: ByteRange, in bytes: Span<UInt8>) -> UInt32 {
    var hasher = KeyedHasher(key: key, output: .bits64)
    hasher.append(UInt64(0x636b_2d63_6c69_656e))
    hasher.append(bytes, from: tag.lowerBound, to: tag.upperBound)
    return UInt32(truncatingIfNeeded: hasher.finish64())
  }

  private func mac(
    of content: TokenBytes, _ kind: RouteToken.Kind, callID: ByteRange, in bytes: Span<UInt8>
  ) -> UInt64 {
    var hasher = KeyedHasher(key: key, output: .bits64)
    hasher.append(kind == .call ? Self.callLabel : Self.registrationLabel)
    hasher.append(UInt64(content.count))
    for position in 0..<content.count { hasher.append(content[position]) }
    if kind == .call { hasher.append(bytes, from: callID.lowerBound, to: callID.upperBound) }
    return hasher.finish64()
  }
}

extension TokenBytes {
  fileprivate mutating func append(_ flow: Flow, _ shape: TokenShape, check: UInt32) {
    append(shape.octet)
    append(UInt64(check), octets: 4)
    append(UInt64(flow.listener), octets: 2)
    append(UInt64(flow.remote.port), octets: 2)
    if shape.hasConnection {
      append(UInt64(flow.connection.slot), octets: 4)
      append(UInt64(flow.connection.generation), octets: 4)
    }
    if shape.isV4 {
      append(UInt64(flow.remote.ip.v4), octets: 4)
    } else {
      append(flow.remote.ip.high, octets: 8)
      append(flow.remote.ip.low, octets: 8)
    }
  }

  fileprivate func flow(_ shape: TokenShape) -> Flow {
    let address = shape.hasConnection ? 17 : 9
    let (ip, any) =
      shape.isV4
      ? (IPAddress(v4: UInt32(truncatingIfNeeded: number(at: address, octets: 4))), IPAddress(v4: 0))
      : (
        IPAddress(v6High: number(at: address, octets: 8), v6Low: number(at: address + 8, octets: 8)),
        IPAddress(v6High: 0, v6Low: 0)
      )
    let port = UInt16(truncatingIfNeeded: number(at: 7, octets: 2))
    var flow = Flow(
      listener: UInt16(truncatingIfNeeded: number(at: 5, octets: 2)),
      remote: SocketAddress(ip: ip, port: port), local: any)
    if shape.hasConnection {
      flow.connection = ConnectionID(
        slot: UInt32(truncatingIfNeeded: number(at: 9, octets: 4)),
        generation: UInt32(truncatingIfNeeded: number(at: 13, octets: 4)))
    }
    return flow
  }
}
