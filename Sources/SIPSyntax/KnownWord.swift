// Short words of the grammar as numbers, so that a comparison is one load and one compare. The compiler does not fold a
// literal's bytes into a constant dependably; a test checks each number against the text.

/// A word of at most eight bytes in one machine word: in lower case, the first byte lowest.
struct KnownWord: BitwiseCopyable, Sendable {
  let bits: UInt64
  let count: Int
}

extension KnownWord {
  /// `sip`
  static var sip: KnownWord { KnownWord(bits: 0x70_6973, count: 3) }
  /// `sips`
  static var sips: KnownWord { KnownWord(bits: 0x7370_6973, count: 4) }
  /// `tel`
  static var tel: KnownWord { KnownWord(bits: 0x6C_6574, count: 3) }
  /// `lr`
  static var lr: KnownWord { KnownWord(bits: 0x726C, count: 2) }
  /// `ob`
  static var ob: KnownWord { KnownWord(bits: 0x626F, count: 2) }
  /// `ck`
  static var token: KnownWord { KnownWord(bits: 0x6B63, count: 2) }
  /// `ttl`
  static var ttl: KnownWord { KnownWord(bits: 0x6C_7474, count: 3) }
  /// `user`
  static var user: KnownWord { KnownWord(bits: 0x7265_7375, count: 4) }
  /// `maddr`
  static var maddr: KnownWord { KnownWord(bits: 0x72_6464_616D, count: 5) }
  /// `method`
  static var method: KnownWord { KnownWord(bits: 0x646F_6874_656D, count: 6) }
  /// `tag`
  static var tag: KnownWord { KnownWord(bits: 0x67_6174, count: 3) }
  /// `branch`
  static var branch: KnownWord { KnownWord(bits: 0x6863_6E61_7262, count: 6) }
  /// `rport`
  static var rport: KnownWord { KnownWord(bits: 0x74_726F_7072, count: 5) }
  /// `received`
  static var received: KnownWord { KnownWord(bits: 0x6465_7669_6563_6572, count: 8) }
  /// `z9hG4bK`
  static var magicCookie: KnownWord { KnownWord(bits: 0x6B_6234_6768_397A, count: 7) }
  /// `uac`
  static var uac: KnownWord { KnownWord(bits: 0x63_6175, count: 3) }
  /// `uas`
  static var uas: KnownWord { KnownWord(bits: 0x73_6175, count: 3) }
  /// `SIP/`
  static var protocolName: KnownWord { KnownWord(bits: 0x2F70_6973, count: 4) }
  /// `SIP/2.0`
  static var protocolVersion: KnownWord { KnownWord(bits: 0x30_2E32_2F70_6973, count: 7) }
}
