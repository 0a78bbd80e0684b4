import ProxyCore
import SIPSyntax

/// STUN messages of clients that keep their flow alive (RFC 5626 §4.4.2), and what their answers must be.
enum CoreStun {
  private static let cookie: [UInt8] = [0x21, 0x12, 0xA4, 0x42]

  /// A message with these attributes: `variant` chooses its type (bits 0 and 1), a wrong length (2), no magic cookie
  /// (3), a fingerprint (4) and a wrong one (5).
  static func message(_ variant: UInt8, transaction: UInt8, attributes: Octets) -> Octets {
    let type: Octets = [[0, 1], [0, 1], [1, 1], [0, 0x11]][Int(variant & 3)]
    let fingerprintLength = variant & 16 == 0 ? 0 : 8
    let length = attributes.count + fingerprintLength + (variant & 4 == 0 ? 0 : 4)
    var octets = type + [UInt8(truncatingIfNeeded: length >> 8), UInt8(truncatingIfNeeded: length)]
    octets += variant & 8 == 0 ? cookie : [0, 0, 0, 0]
    octets += Octets(repeating: transaction, count: 12)
    octets += attributes
    if fingerprintLength > 0 {
      let sum = crc32(octets) ^ 0x5354_554E ^ (variant & 32 == 0 ? 0 : 1)
      octets += [0x80, 0x28, 0, 4]
      octets += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: sum >> $0) }
    }
    return octets
  }

  /// G8, D67: one small answer to a Binding request, to its sender, with the address it came from.
  static func judge(_ answer: Octets, over flow: Flow, to request: Octets, from source: Flow) {
    require(flow == source && flow.listener < CorePeers.Listeners.tcp, "STUN is answered where it came from")
    require(request.count >= 20 && request.starts(with: [0, 1]), "nothing but a Binding request is answered")
    require(
      answer.count >= 20 && answer.count <= 2 * request.count + 32, "the answer is no larger than it must be")
    require(answer.count % 4 == 0 && Int(answer[2]) << 8 | Int(answer[3]) == answer.count - 20, "length")
    require(answer[4..<20] == request[4..<20], "cookie and transaction are those of the request")
    if answer[1] == 0x11 { return }
    require(answer.count >= 32 && answer[20] == 0 && answer[21] == 0x20, "XOR-MAPPED-ADDRESS")
    let port = (UInt16(answer[26]) << 8 | UInt16(answer[27])) ^ 0x2112
    require(port == source.remote.port, "the port that the request came from")
    // Hidden by the cookie, and beyond it by the transaction.
    let address = zip(answer[28..<(answer[25] == 1 ? 32 : 44)], answer[4..<20]).map { $0 ^ $1 }
    let halves = address.enumerated().reduce(into: [UInt64(0), 0]) { halves, next in
      halves[next.offset / 8] = halves[next.offset / 8] << 8 | UInt64(next.element)
    }
    let mapped =
      address.count == 4
      ? IPAddress(v4: UInt32(truncatingIfNeeded: halves[0])) : IPAddress(v6High: halves[0], v6Low: halves[1])
    require(mapped == source.remote.ip, "the address that the request came from")
  }

  /// The checksum of RFC 5389 section 15.5, bit by bit.
  private static func crc32(_ octets: Octets) -> UInt32 {
    var sum = UInt32.max
    for octet in octets {
      sum ^= UInt32(octet)
      for _ in 0..<8 { sum = sum & 1 == 0 ? sum >> 1 : sum >> 1 ^ 0xEDB8_8320 }
    }
    return ~sum
  }
}
