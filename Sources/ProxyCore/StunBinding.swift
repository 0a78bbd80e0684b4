// RFC 5626 sections 5.4 and 8 with RFC 5389: STUN keep-alives on the SIP ports of UDP (D67).
//
// A client behind NAT sends a Binding request on the flow it registered over, and learns from the answer that the
// flow is alive and whether its address has changed. This use of STUN has no credentials, no second server and no
// compatibility with RFC 3489.
//
// Left open: what to say about what is not a Binding request. Nothing (G8): an error answer would only help who
// sends with a false source. One exception is the 420 that RFC 5389 section 7.3.1 asks for. Left open also: how long
// a request may be. 548 octets, which RFC 5389 section 7.1 lets a client send over a path it does not know.

import SIPSyntax

extension ProxyEngine {
  /// Takes a datagram that begins with octet 0 or 1, which no SIP message does: it never reaches the parser.
  mutating func receiveStun(_ datagram: Span<UInt8>, over flow: Flow, into outbox: inout Outbox) {
    let start = outbox.bytes.count
    switch StunBinding.answer(datagram, from: flow.remote, into: &outbox.bytes) {
    case .mappedAddress:
      counters.add(to: .stunBindingsAnswered)
      outbox.finish(from: start, over: flow)
    case .unknownAttributes:
      counters.add(to: .stunBindingsRefused)
      outbox.finish(from: start, over: flow)
    case .nothing:
      // D68: some clients keep their mapping alive with a few zero octets.
      let isZero = datagram.indices.allSatisfy { datagram[$0] == 0 }
      counters.add(to: isZero ? .keepAlivesReceived : .droppedStun)
    }
  }

  /// Whether a listener receives datagrams, the only ones that may be STUN (RFC 5626 section 8).
  func receivesDatagrams(_ listener: UInt16) -> Bool {
    let index = Int(listener)
    return index < configuration.listeners.count && configuration.listeners[index].transport == .udp
  }
}

/// The answer to a STUN Binding request, written from its octets.
enum StunBinding {
  /// What was written.
  enum Answer {
    /// A success response that tells the client its address.
    case mappedAddress
    /// A 420 error response that lists what the request demands and we do not know.
    case unknownAttributes
    /// Nothing: the datagram is no valid Binding request.
    case nothing
  }

  private static let longestRequest = 548
  private static let headerLength = 20
  /// Attribute types listed in an error answer at most, so that it stays a small multiple of the request (G8).
  private static let listedTypes = 16
  private static let cookie: UInt32 = 0x2112_A442
  private static let fingerprintMask: UInt32 = 0x5354_554E

  private static let bindingRequest: UInt16 = 0x0001
  private static let bindingSuccess: UInt16 = 0x0101
  private static let bindingError: UInt16 = 0x0111

  private static let errorCode: UInt16 = 0x0009
  private static let unknownTypes: UInt16 = 0x000A
  private static let messageIntegrity: UInt16 = 0x0008
  private static let xorMappedAddress: UInt16 = 0x0020
  private static let fingerprint: UInt16 = 0x8028

  /// Appends the answer to `request`, which came from `source`; appends nothing for what is not valid.
  static func answer(
    _ request: Span<UInt8>, from source: SocketAddress, into output: inout OutputBuffer
  ) -> Answer {
    guard let contents = read(request) else { return .nothing }
    let start = output.count
    if contents.unknownTypes == 0 {
      writeMappedAddress(source, request, contents, into: &output)
    } else {
      writeUnknownAttributes(request, contents, into: &output)
    }
    if contents.hasFingerprint { appendFingerprint(from: start, to: &output) }
    return contents.unknownTypes == 0 ? .mappedAddress : .unknownAttributes
  }

  // MARK: Reading (RFC 5389 sections 6, 7.3, 15)

  private struct Contents {
    var hasFingerprint = false
    /// Attributes that must be understood and are not.
    var unknownTypes = 0
  }

  private struct Attribute {
    let type: UInt16
    let length: Int
    /// Offset behind the value and its padding.
    let end: Int
  }

  /// What a valid Binding request holds; nil for anything else.
  private static func read(_ request: Span<UInt8>) -> Contents? {
    guard request.count >= headerLength, request.count <= longestRequest,
      request.bigEndian16(0) == bindingRequest, request.bigEndian32(4) == cookie,
      request.count % 4 == 0, Int(request.bigEndian16(2)) == request.count - headerLength
    else { return nil }
    var contents = Contents()
    var isProtected = false
    var position = headerLength
    while position < request.count {
      guard !contents.hasFingerprint, let attribute = attribute(at: position, in: request) else { return nil }
      if attribute.type == fingerprint {
        // Section 15.5: the last of all, over everything in front of it.
        guard attribute.length == 4,
          request.bigEndian32(position + 4) == crc32(request, from: 0, to: position) ^ fingerprintMask
        else { return nil }
        contents.hasFingerprint = true
      } else if !isProtected {
        // Section 15.4: what stands behind MESSAGE-INTEGRITY is ignored.
        isProtected = attribute.type == messageIntegrity
        if isUnknown(attribute.type) { contents.unknownTypes += 1 }
      }
      position = attribute.end
    }
    return contents
  }

  private static func attribute(at position: Int, in request: Span<UInt8>) -> Attribute? {
    let length = Int(request.bigEndian16(position + 2))
    let end = position + 4 + (length + 3) / 4 * 4
    return end <= request.count
      ? Attribute(type: request.bigEndian16(position), length: length, end: end) : nil
  }

  /// Section 15: types below 0x8000 must be understood; these are the ones RFC 5389 defines.
  private static func isUnknown(_ type: UInt16) -> Bool {
    switch type {
    case 0x0001, 0x0006, messageIntegrity, errorCode, unknownTypes, 0x0014, 0x0015, xorMappedAddress,
      0x8000...:
      false
    default: true
    }
  }

  // MARK: Writing

  private static func writeHeader(
    _ type: UInt16, length: Int, _ request: Span<UInt8>, _ contents: Contents, into output: inout OutputBuffer
  ) {
    output.append(bigEndian: type)
    output.append(bigEndian: UInt16(clamping: length + (contents.hasFingerprint ? 8 : 0)))
    // Cookie and transaction ID as they came.
    output.append(request, ByteRange(4, headerLength))
  }

  /// Section 15.2: the address and port, each hidden from NATs that rewrite what looks like an address.
  private static func writeMappedAddress(
    _ source: SocketAddress, _ request: Span<UInt8>, _ contents: Contents, into output: inout OutputBuffer
  ) {
    let ip = source.ip.canonical
    let length = ip.family == .v4 ? 8 : 20
    writeHeader(bindingSuccess, length: 4 + length, request, contents, into: &output)
    output.append(bigEndian: xorMappedAddress)
    output.append(bigEndian: UInt16(clamping: length))
    output.append(bigEndian: UInt16(ip.family == .v4 ? 1 : 2))
    output.append(bigEndian: source.port ^ UInt16(truncatingIfNeeded: cookie >> 16))
    if ip.family == .v4 {
      output.append(bigEndian: ip.v4 ^ cookie)
    } else {
      for (index, half) in [ip.high, ip.low].enumerated() {
        output.append(bigEndian: UInt32(truncatingIfNeeded: half >> 32) ^ request.bigEndian32(4 + index * 8))
        output.append(bigEndian: UInt32(truncatingIfNeeded: half) ^ request.bigEndian32(8 + index * 8))
      }
    }
  }

  /// Sections 7.3.1, 15.6 and 15.9: 420, and the types that were not understood.
  private static func writeUnknownAttributes(
    _ request: Span<UInt8>, _ contents: Contents, into output: inout OutputBuffer
  ) {
    let reason: StaticString = "Unknown Attribute"
    let codeLength = 4 + reason.utf8CodeUnitCount
    let codePadding = (4 - codeLength % 4) % 4
    let listed = min(contents.unknownTypes, listedTypes)
    let listPadding = listed % 2
    writeHeader(
      bindingError, length: 4 + codeLength + codePadding + 4 + 2 * (listed + listPadding), request, contents,
      into: &output)
    output.append(bigEndian: errorCode)
    output.append(bigEndian: UInt16(clamping: codeLength))
    output.append(bigEndian: UInt32(4 << 8 | 20))
    output.append(reason)
    for _ in 0..<codePadding { output.append(0) }
    output.append(bigEndian: unknownTypes)
    output.append(bigEndian: UInt16(clamping: 2 * listed))
    var left = listed
    var position = headerLength
    while left > 0, let attribute = attribute(at: position, in: request) {
      if isUnknown(attribute.type) {
        output.append(bigEndian: attribute.type)
        left -= 1
      }
      position = attribute.end
    }
    if listPadding == 1 { output.append(bigEndian: UInt16(0)) }
  }

  private static func appendFingerprint(from start: Int, to output: inout OutputBuffer) {
    let sum = crc32(output.bytes.span, from: start, to: output.count)
    output.append(bigEndian: fingerprint)
    output.append(bigEndian: UInt16(4))
    output.append(bigEndian: sum ^ fingerprintMask)
  }

  /// The checksum of ITU-T V.42, half an octet at a time.
  private static func crc32(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> UInt32 {
    let table: InlineArray<16, UInt32> = [
      0x0000_0000, 0x1DB7_1064, 0x3B6E_20C8, 0x26D9_30AC, 0x76DC_4190, 0x6B6B_51F4, 0x4DB2_6158, 0x5005_713C,
      0xEDB8_8320, 0xF00F_9344, 0xD6D6_A3E8, 0xCB61_B38C, 0x9B64_C2B0, 0x86D3_D2D4, 0xA00A_E278, 0xBDBD_F21C,
    ]
    var sum = UInt32.max
    for position in start..<end {
      sum ^= UInt32(bytes[position])
      sum = sum >> 4 ^ table[Int(sum & 15)]
      sum = sum >> 4 ^ table[Int(sum & 15)]
    }
    return ~sum
  }
}

extension Span<UInt8> {
  /// The number in two octets; 0 past the end.
  fileprivate func bigEndian16(_ offset: Int) -> UInt16 {
    guard offset + 2 <= count else { return 0 }
    return UInt16(self[offset]) << 8 | UInt16(self[offset + 1])
  }

  fileprivate func bigEndian32(_ offset: Int) -> UInt32 {
    UInt32(bigEndian16(offset)) << 16 | UInt32(bigEndian16(offset + 2))
  }
}

extension OutputBuffer {
  /// Appends a number, its most significant octet first.
  fileprivate mutating func append(bigEndian number: UInt16) {
    append(UInt8(truncatingIfNeeded: number >> 8))
    append(UInt8(truncatingIfNeeded: number))
  }

  fileprivate mutating func append(bigEndian number: UInt32) {
    append(bigEndian: UInt16(truncatingIfNeeded: number >> 16))
    append(bigEndian: UInt16(truncatingIfNeeded: number))
  }
}
