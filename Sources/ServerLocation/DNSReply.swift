// The wire format of DNS replies: RFC 1035 §4.1 with §4.1.4 (compression), RFC 2782 (SRV), RFC 3403 §4.1 (NAPTR) and
// RFC 2308 §5 (how long nothing is nothing).
//
// Left open by the RFCs: how long a denial without an SOA record is believed; we say five seconds. Names in SRV and
// NAPTR records may be compressed here, though they must not be sent so.

import SIPSyntax

extension DNSAnswer {
  /// Reads what a server replied to `question`; nil for what is no such reply.
  ///
  /// Aliases within the reply are followed; the time to live is the least of all records on the way. The work is
  /// bounded by the octets of the reply, times sixteen for aliases.
  public init?(reply bytes: Span<UInt8>, to question: DNSQuestion) {
    var reader = ReplyReader()
    guard reader.skip(2, bytes), let flags = reader.word(bytes), let questions = reader.word(bytes),
      let answerCount = reader.word(bytes), let authorityCount = reader.word(bytes), reader.skip(2, bytes),
      flags >> 15 == 1
    else { return nil }
    for _ in 0..<questions {
      guard reader.skipName(bytes), reader.skip(4, bytes) else { return nil }
    }
    let code = flags & 0xF
    guard code == 0 || code == 3 else {
      self = .failure
      return
    }
    guard let answers = reader.records(answerCount, bytes) else { return nil }
    var name = question.name
    var timeToLive = UInt32.max
    for _ in 0..<16 {
      guard let alias = answers.first(where: { $0.type == .alias && $0.owner == name }) else { break }
      var target = ReplyReader(position: alias.data.lowerBound)
      guard let next = target.name(bytes) else { return nil }
      name = next
      timeToLive = min(timeToLive, alias.seconds)
    }
    var records: [DNSRecord] = []
    for answer in answers where answer.type == WireType(question.type) && answer.owner == name {
      guard let record = answer.content(bytes) else { continue }
      timeToLive = min(timeToLive, answer.seconds)
      records.append(record)
    }
    if !records.isEmpty {
      self = .records(records, timeToLive: timeToLive)
      return
    }
    var denial: UInt32 = 5
    for record in reader.records(authorityCount, bytes) ?? [] where record.type == .authority {
      denial = record.denialTime(bytes) ?? denial
    }
    self = .none(timeToLive: min(timeToLive, denial))
  }
}

/// The types of records that matter here, as numbered by IANA.
private enum WireType: UInt16 {
  case a = 1
  case alias = 5
  case authority = 6
  case aaaa = 28
  case srv = 33
  case naptr = 35

  init(_ type: DNSRecordType) {
    self =
      switch type {
      case .a: .a
      case .aaaa: .aaaa
      case .srv: .srv
      case .naptr: .naptr
      }
  }
}

extension DNSRecordType {
  /// The number of the type in a question.
  public var wireValue: UInt16 { WireType(self).rawValue }
}

/// One record of a section, and where its data stands.
private struct WireRecord {
  let owner: DNSName
  let type: WireType
  /// Time to live; one with the top bit set counts as zero (RFC 2181 §8).
  let seconds: UInt32
  let data: Range<Int>

  /// What the data says; nil when it is not what its type asks for.
  func content(_ bytes: Span<UInt8>) -> DNSRecord? {
    var reader = ReplyReader(position: data.lowerBound)
    switch type {
    case .a:
      guard data.count == 4, let address = reader.doubleWord(bytes) else { return nil }
      return .address(IPAddress(v4: address))
    case .aaaa:
      guard data.count == 16, let high = reader.quadWord(bytes), let low = reader.quadWord(bytes) else {
        return nil
      }
      return .address(IPAddress(v6High: high, v6Low: low))
    case .srv:
      guard data.count > 6, let priority = reader.word(bytes), let weight = reader.word(bytes),
        let port = reader.word(bytes), let target = reader.name(bytes)
      else { return nil }
      return .srv(priority: priority, weight: weight, port: port, target: target)
    case .naptr:
      // A regular expression has no place in a record of SIP (RFC 3263 §4.1).
      guard data.count > 7, let order = reader.word(bytes), let preference = reader.word(bytes),
        let flags = reader.text(bytes), let service = reader.text(bytes), reader.text(bytes) == "",
        let replacement = reader.name(bytes)
      else { return nil }
      return .naptr(
        order: order, preference: preference, flags: flags, service: service, replacement: replacement)
    case .alias, .authority: return nil
    }
  }

  /// How long a denial holds according to this SOA record: the lesser of its time to live and its last field.
  func denialTime(_ bytes: Span<UInt8>) -> UInt32? {
    var reader = ReplyReader(position: data.upperBound - 4)
    guard data.count >= 22, let minimum = reader.doubleWord(bytes) else { return nil }
    return min(seconds, minimum > UInt32(Int32.max) ? 0 : minimum)
  }
}

/// A place in a reply; no method reads beyond the reply's end.
private struct ReplyReader {
  var position = 0

  mutating func skip(_ count: Int, _ bytes: Span<UInt8>) -> Bool {
    guard count <= bytes.count - position else { return false }
    position += count
    return true
  }

  mutating func word(_ bytes: Span<UInt8>) -> UInt16? {
    guard position + 2 <= bytes.count else { return nil }
    defer { position += 2 }
    return UInt16(bytes[position]) << 8 | UInt16(bytes[position + 1])
  }

  mutating func doubleWord(_ bytes: Span<UInt8>) -> UInt32? {
    guard let high = word(bytes), let low = word(bytes) else { return nil }
    return UInt32(high) << 16 | UInt32(low)
  }

  mutating func quadWord(_ bytes: Span<UInt8>) -> UInt64? {
    guard let high = doubleWord(bytes), let low = doubleWord(bytes) else { return nil }
    return UInt64(high) << 32 | UInt64(low)
  }

  /// A length and as many octets; of text, for which anything else is as good as nothing.
  mutating func text(_ bytes: Span<UInt8>) -> String? {
    guard position < bytes.count else { return nil }
    let length = Int(bytes[position])
    guard length <= bytes.count - position - 1 else { return nil }
    var octets: [UInt8] = []
    octets.reserveCapacity(length)
    for index in 0..<length { octets.append(bytes[position + 1 + index]) }
    position += 1 + length
    return String(decoding: octets, as: UTF8.self)
  }

  mutating func skipName(_ bytes: Span<UInt8>) -> Bool {
    while position < bytes.count {
      let length = Int(bytes[position])
      if length == 0 { return skip(1, bytes) }
      if length >= 0xC0 { return skip(2, bytes) }
      guard length < 64, skip(1 + length, bytes) else { return false }
    }
    return false
  }

  /// Takes the name here; nil for a broken one and one that is none of ours.
  mutating func name(_ bytes: Span<UInt8>) -> DNSName? {
    let name = nameHere(bytes)
    return skipName(bytes) ? name : nil
  }

  /// Pointers that one name may take: more than its 127 labels need, so that many long chains cost no time.
  private static var pointerLimit: Int { 128 }

  /// The name here, which may go on elsewhere.
  ///
  /// A pointer must point to before where it was read from the last time, so that no chain of them goes in circles.
  private func nameHere(_ bytes: Span<UInt8>) -> DNSName? {
    var octets: [UInt8] = []
    var place = position
    var bound = position
    var pointers = 0
    while place < bytes.count {
      let length = Int(bytes[place])
      if length == 0 {
        if octets.isEmpty { return .root }
        return DNSName(octets.span, ByteRange(0, octets.count))
      }
      if length >= 0xC0 {
        guard place + 1 < bytes.count else { return nil }
        place = (length & 0x3F) << 8 | Int(bytes[place + 1])
        pointers += 1
        guard place < bound, pointers <= Self.pointerLimit else { return nil }
        bound = place
        continue
      }
      guard length < 64, length < bytes.count - place, octets.count + length <= DNSName.maximumLength else {
        return nil
      }
      if !octets.isEmpty { octets.append(UInt8(ascii: ".")) }
      for index in 0..<length {
        let octet = bytes[place + 1 + index]
        // A dot within a label is no separator.
        guard octet != UInt8(ascii: ".") else { return nil }
        octets.append(octet)
      }
      place += 1 + length
    }
    return nil
  }

  /// The records of a section, without those of other types, classes and names; nil when the section is broken.
  mutating func records(_ count: UInt16, _ bytes: Span<UInt8>) -> [WireRecord]? {
    var records: [WireRecord] = []
    for _ in 0..<count {
      let owner = nameHere(bytes)
      guard skipName(bytes), let type = word(bytes), let recordClass = word(bytes),
        let seconds = doubleWord(bytes), let length = word(bytes), Int(length) <= bytes.count - position
      else { return nil }
      let data = position..<position + Int(length)
      position = data.upperBound
      guard let owner, recordClass == 1, let type = WireType(rawValue: type) else { continue }
      records.append(
        WireRecord(
          owner: owner, type: type, seconds: seconds > UInt32(Int32.max) ? 0 : seconds, data: data))
    }
    return records
  }
}
