/// SipHash as its authors published it (Aumasson and Bernstein, 2012; 128-bit output, 2014).
///
/// The key is random per process, so nobody outside can choose Call-IDs, tags or branches that meet
/// in one place of a table (G11). What leaves the process as proof is SipHash-2-4; what only finds places
/// in tables is SipHash-1-3, as the hash tables of several languages do.

/// 128 bits of keyed hash.
public struct Hash128: BitwiseCopyable, Hashable, Sendable {
  /// The second eight bytes of the published output, little-endian.
  public var high: UInt64
  /// The first eight bytes of the published output, little-endian.
  public var low: UInt64

  /// A hash from its two halves.
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }
}

/// The secret of a `KeyedHasher`: two little-endian words of eight key bytes each.
public struct HashKey: BitwiseCopyable, Sendable {
  let k0: UInt64
  let k1: UInt64

  /// A key from its two words.
  public init(_ k0: UInt64, _ k1: UInt64) {
    self.k0 = k0
    self.k1 = k1
  }
}

/// A streaming SipHash. The caller separates fields by appending lengths or separator bytes.
public struct KeyedHasher {
  /// Which of the two published functions; they differ from the first byte on.
  public enum Output: Sendable {
    /// 128 bits, for `finish()`.
    case bits128
    /// 64 bits, for `finish64()`.
    case bits64
  }

  /// What the hash is for, which decides the number of rounds.
  public enum Purpose: Sendable {
    /// Others see the hash and must not be able to make one: SipHash-2-4.
    case authentication
    /// The hash stays in this process: SipHash-1-3.
    case lookup
  }

  private var v0: UInt64
  private var v1: UInt64
  private var v2: UInt64
  private var v3: UInt64
  /// Bytes not yet compressed, in the low places.
  private var tail: UInt64 = 0
  private var length: UInt64 = 0
  private let output: Output
  private let isStrong: Bool

  /// A hasher that has seen nothing yet.
  public init(key: HashKey, output: Output = .bits128, for purpose: Purpose = .authentication) {
    isStrong = purpose == .authentication
    v0 = key.k0 ^ 0x736f_6d65_7073_6575
    v1 = key.k1 ^ 0x646f_7261_6e64_6f6d
    v2 = key.k0 ^ 0x6c79_6765_6e65_7261
    v3 = key.k1 ^ 0x7465_6462_7974_6573
    self.output = output
    if output == .bits128 { v1 ^= 0xee }
  }

  /// Appends one byte.
  public mutating func append(_ byte: UInt8) {
    tail |= UInt64(byte) << (8 * (length & 7))
    length &+= 1
    if length & 7 == 0 {
      compress(tail)
      tail = 0
    }
  }

  /// Appends the eight bytes of a word, lowest first.
  public mutating func append(_ word: UInt64) { absorb(word) }

  /// Appends raw bytes.
  public mutating func append(_ bytes: Span<UInt8>) { append(bytes, from: 0, to: bytes.count) }

  /// Appends `bytes[from..<to]`; the bounds are ours, not the network's, and are checked.
  public mutating func append(_ bytes: Span<UInt8>, from: Int, to: Int) {
    precondition(from >= 0 && from <= to && to <= bytes.count)
    var position = from
    while to &- position >= 8 {
      absorb(bytes.littleEndianWord(at: position))
      position &+= 8
    }
    if position < to {
      absorb(bytes.lowBytes(at: position, count: to &- position), count: to &- position)
    }
  }

  /// Appends `bytes[from..<to]` as a field: its length, its bytes and zeros up to a whole word.
  ///
  /// Neighbouring fields cannot trade bytes, and no word has to be put together from two.
  public mutating func appendField(_ bytes: Span<UInt8>, from: Int, to: Int) {
    absorbField(bytes, from, to) { $0 }
  }

  /// Appends `bytes[from..<to]` as a field with ASCII capitals as small letters, for names that ignore case.
  public mutating func appendLowercasedField(_ bytes: Span<UInt8>, from: Int, to: Int) {
    absorbField(bytes, from, to, Self.lowercased)
  }

  /// One loop in one function, so that the state stays in registers.
  @inline(__always)
  private mutating func absorbField(
    _ bytes: Span<UInt8>, _ from: Int, _ to: Int, _ transform: (UInt64) -> UInt64
  ) {
    precondition(from >= 0 && from <= to && to <= bytes.count)
    if length & 7 != 0 {
      compress(tail)
      tail = 0
      length = (length | 7) &+ 1
    }
    compress(UInt64(to &- from))
    var position = from
    while to &- position >= 8 {
      compress(transform(bytes.littleEndianWord(at: position)))
      position &+= 8
    }
    if position < to { compress(transform(bytes.lowBytes(at: position, count: to &- position))) }
    // The length ends the hash as its low byte alone.
    length &+= UInt64(8 &+ (to &- from &+ 7) & ~7)
  }

  @inline(__always)
  private mutating func absorb(_ word: UInt64) {
    let used = 8 &* (length & 7)
    length &+= 8
    if used == 0 {
      compress(word)
    } else {
      compress(tail | word &<< used)
      tail = word &>> (64 &- used)
    }
  }

  /// Takes the lowest `count` bytes of a word, one to seven; the others are zero.
  @inline(__always)
  private mutating func absorb(_ word: UInt64, count: Int) {
    let used = length & 7
    length &+= UInt64(count)
    tail |= word &<< (8 &* used)
    guard used &+ UInt64(count) >= 8 else { return }
    compress(tail)
    tail = used == 0 ? 0 : word &>> (64 &- 8 &* used)
  }

  /// The 128-bit hash of everything appended; the hasher is used up.
  public mutating func finish() -> Hash128 {
    precondition(output == .bits128)
    compressLength()
    v2 ^= 0xee
    finalize()
    let low = v0 ^ v1 ^ v2 ^ v3
    v1 ^= 0xdd
    finalize()
    return Hash128(high: v0 ^ v1 ^ v2 ^ v3, low: low)
  }

  /// Sixty-four bits of hash; the hasher is used up.
  ///
  /// The published 64-bit function when the hasher was made for it, else the low half of the 128-bit hash.
  public mutating func finish64() -> UInt64 {
    if output == .bits128 { return finish().low }
    compressLength()
    v2 ^= 0xff
    finalize()
    return v0 ^ v1 ^ v2 ^ v3
  }

  /// Sets bit 5 of every byte of the word that is an ASCII capital.
  static func lowercased(_ word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let sevenBits = word & (0x7f * ones)
    let atLeastA = sevenBits &+ (0x80 - 0x41) * ones
    let beyondZ = sevenBits &+ (0x80 - 0x5b) * ones
    let capitals = atLeastA & ~beyondZ & ~word & (0x80 * ones)
    return word | capitals >> 2
  }

  @inline(__always)
  private mutating func compressLength() { compress(tail | length << 56) }

  @inline(__always)
  private mutating func compress(_ word: UInt64) {
    v3 ^= word
    round()
    if isStrong { round() }
    v0 ^= word
  }

  @inline(__always)
  private mutating func finalize() {
    round()
    round()
    round()
    if isStrong { round() }
  }

  @inline(__always)
  private mutating func round() {
    v0 &+= v1
    v1 = (v1 << 13 | v1 >> 51) ^ v0
    v0 = v0 << 32 | v0 >> 32
    v2 &+= v3
    v3 = (v3 << 16 | v3 >> 48) ^ v2
    v0 &+= v3
    v3 = (v3 << 21 | v3 >> 43) ^ v0
    v2 &+= v1
    v1 = (v1 << 17 | v1 >> 47) ^ v2
    v2 = v2 << 32 | v2 >> 32
  }
}
