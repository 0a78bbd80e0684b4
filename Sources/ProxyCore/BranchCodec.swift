// RFC 3261 sections 8.1.1.7, 16.6 item 8 and 16.11; RFC 5393 section 4.2: our branch parameters.
//
// Left open: their content. A stateful branch is
//   z9hG4bK ck SLOT(7) GENERATION(7) MAC(13) LOOP(8)
// in base 32 (0-9a-v, token characters, equal in either letter case): where the client transaction
// stands, a MAC under a key of this process (so a branch is unique across restarts, B62, and a response
// cannot be aimed at a transaction it did not see), and the part that recognises loops (B19, B20).
// A stateless branch is z9hG4bK ca HASH(26) of the received branch, so that a retransmission gets the
// same one (B107). The method plays no part in either (B21).

import PagedStorage
import SIPSyntax

/// Writes and reads the branch parameters of this process.
struct BranchCodec {
  private let key: HashKey

  init(key: HashKey) { self.key = key }

  private static let statefulLength = 7 + 2 + 7 + 7 + 13 + 8
  private static let loopLength = 8

  /// Appends the branch of a client transaction.
  func write(_ id: SlabID, loop: UInt64, to output: inout OutputBuffer) {
    output.append("z9hG4bKck")
    output.append(base32: UInt64(id.index), digits: 7)
    output.append(base32: UInt64(id.generation), digits: 7)
    output.append(base32: mac(of: id), digits: 13)
    output.append(base32: loop, digits: Self.loopLength)
  }

  /// Appends the branch of a request that is forwarded without a transaction.
  func writeStateless(_ hash: Hash128, to output: inout OutputBuffer) {
    // The table's own hash stays inside.
    var hasher = KeyedHasher(key: key)
    hasher.append(hash.high)
    hasher.append(hash.low)
    let visible = hasher.finish()
    output.append("z9hG4bKca")
    output.append(base32: visible.high, digits: 13)
    output.append(base32: visible.low, digits: 13)
  }

  /// The client transaction a branch names, if this process wrote it; the slot may be gone since.
  func read(_ branch: ByteRange, in bytes: Span<UInt8>) -> SlabID? {
    guard isStateful(branch, in: bytes),
      let index = bytes.base32(at: branch.lowerBound + 9, digits: 7),
      let generation = bytes.base32(at: branch.lowerBound + 16, digits: 7),
      let mac = bytes.base32(at: branch.lowerBound + 23, digits: 13),
      let index = UInt32(exactly: index), let generation = UInt32(exactly: generation)
    else { return nil }
    let id = SlabID(index: index, generation: generation)
    return mac == self.mac(of: id) ? id : nil
  }

  /// Whether a branch of ours (of any of our processes) ends in this loop part (B19).
  func hasLoopPart(_ loop: UInt64, _ branch: ByteRange, in bytes: Span<UInt8>) -> Bool {
    guard isStateful(branch, in: bytes) else { return false }
    let part = bytes.base32(at: branch.upperBound - Self.loopLength, digits: Self.loopLength)
    return part == loop & (1 << 40 - 1)
  }

  private func isStateful(_ branch: ByteRange, in bytes: Span<UInt8>) -> Bool {
    guard branch.count == Self.statefulLength else { return false }
    return bytes.equalsIgnoringCase(ByteRange(branch.lowerBound, branch.lowerBound + 9), "z9hG4bKck")
  }

  private func mac(of id: SlabID) -> UInt64 {
    var hasher = KeyedHasher(key: key, output: .bits64)
    hasher.append(UInt64(id.index) << 32 | UInt64(id.generation))
    return hasher.finish64()
  }
}

extension OutputBuffer {
  /// Appends the low `5 * digits` bits of a number, most significant digit first.
  mutating func append(base32 number: UInt64, digits: Int) {
    append(upTo: digits) { output in
      var shift = UInt64(digits) * 5
      while shift > 0 {
        shift &-= 5
        let digit = UInt8(truncatingIfNeeded: shift < 64 ? number &>> shift & 31 : 0)
        output.append(digit &+ (digit < 10 ? 0x30 : 0x61 &- 10))
      }
    }
  }
}

extension Span<UInt8> {
  /// The number in `digits` base-32 digits at an offset; nil for any other octet or past the end.
  func base32(at offset: Int, digits: Int) -> UInt64? {
    guard offset >= 0, digits >= 0, offset <= count, digits <= count - offset else { return nil }
    var number: UInt64 = 0
    for position in offset..<offset &+ digits {
      let byte = self[position]
      let decimal = byte &- 0x30
      let letter = (byte | 0x20) &- 0x61
      guard decimal < 10 || letter < 22 else { return nil }
      number = number &<< 5 | UInt64(decimal < 10 ? decimal : letter &+ 10)
    }
    return number
  }
}
