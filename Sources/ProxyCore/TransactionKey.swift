// RFC 3261 sections 17.2.3 and 9.2: which server transaction a request belongs to (C49–C54).
//
// Left open: how to compare (C50). Branch and sent-by host are compared as tokens, in any letter case;
// an absent port differs from an explicit 5060. A branch that is the bare cookie identifies nothing, so it
// counts as none (C53). Fields are hashed with a key of this process (G11) and
// 128 bits are compared, so that no sender can aim at another's transaction.

import PagedStorage
import SIPSyntax

/// What a request is matched by.
struct TransactionKey: BitwiseCopyable {
  /// Hash of branch and sent-by, or of the RFC 2543 fields when there is no cookie.
  var hash: Hash128
  /// Tells methods apart under one branch; an ACK carries INVITE's.
  var methodHash: UInt32
  /// The peer speaks RFC 2543: the To tag decides about ACKs too.
  var isWithoutCookie: Bool
}

extension SIPMethod {
  /// Equal for equal method names: known methods by number, others by a hash of the name (E2).
  func hash(name: ByteRange, in bytes: Span<UInt8>, key: HashKey) -> UInt32 {
    guard self == .other else { return UInt32(rawValue) }
    var hasher = KeyedHasher(key: key, output: .bits64, for: .lookup)
    hasher.append(bytes, from: name.lowerBound, to: name.upperBound)
    return UInt32(truncatingIfNeeded: hasher.finish64()) | 0x8000_0000
  }
}

extension TransactionKey {
  /// The key of a received request. Cost: one hash over about 60 octets.
  ///
  /// Without a cookie the To tag counts (C51). The ACK to an INVITE that had none carries the answer's: it is
  /// looked for with `ignoringToTag`.
  init(
    of message: borrowing SIPMessage, _ bytes: Span<UInt8>, key: HashKey, ignoringToTag: Bool = false
  ) {
    let via = message.topVia
    let method: SIPMethod = message.method == .ack ? .invite : message.method
    methodHash = method.hash(name: message.methodName, in: bytes, key: key)
    var hasher = KeyedHasher(key: key, for: .lookup)
    if let branch = via.branch, via.hasMagicCookie, !via.isBareCookie {
      isWithoutCookie = false
      hasher.appendLowercasedField(bytes, from: branch.lowerBound, to: branch.upperBound)
      hasher.appendLowercasedField(bytes, from: via.host.lowerBound, to: via.host.upperBound)
      hasher.append(UInt64(via.port.map { UInt32($0) + 1 } ?? 0))
    } else {
      isWithoutCookie = true
      hasher.appendField(bytes, message.requestURI)
      hasher.appendField(bytes, message.callID)
      hasher.appendField(bytes, message.from.tag)
      hasher.appendField(bytes, ignoringToTag ? .none : message.to.tag)
      hasher.appendField(bytes, via.value)
      hasher.append(UInt64(message.cSeq.number))
    }
    hash = hasher.finish()
  }
}

extension KeyedHasher {
  /// Appends what stands in a range as a field, which cannot trade octets with its neighbours.
  mutating func appendField(_ bytes: Span<UInt8>, _ range: ByteRange) {
    appendField(bytes, from: range.lowerBound, to: range.upperBound)
  }
}

/// Hash of a tag, 0 for none: tells To tags apart where RFC 2543 matching needs them (C51).
func tagHash(_ tag: ByteRange, _ bytes: Span<UInt8>, key: HashKey) -> UInt32 {
  guard !tag.isEmpty else { return 0 }
  var hasher = KeyedHasher(key: key, output: .bits64, for: .lookup)
  hasher.append(bytes, from: tag.lowerBound, to: tag.upperBound)
  return UInt32(truncatingIfNeeded: hasher.finish64()) | 1
}
