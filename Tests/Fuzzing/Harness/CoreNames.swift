import SIPSyntax
import ServerLocation

/// A small DNS, not always an honest one: what an event's variant and text make of a question.
enum CoreNames {
  /// An answer as it is read: nothing learnt, nothing there, or records, by bits 0 and 1 of the variant; names that
  /// lead in circles (4), the longest time to live (5), records of another type (6), no time to live (7).
  static func answer(to question: DNSQuestion, variant: UInt8, text: Octets) -> DNSAnswer {
    let timeToLive: UInt32 = variant & 0x80 != 0 ? 0 : variant & 0x20 != 0 ? .max : 60
    switch variant & 3 {
    case 0: return .failure
    case 1: return .none(timeToLive: timeToLive)
    default: break
    }
    // One record for each octet of the text, one at least.
    let choices = text.isEmpty ? [variant >> 2] : Array(text.prefix(80))
    return .records(choices.map { record(for: question, $0, variant) }, timeToLive: timeToLive)
  }

  /// A reply in octets: a header, the question, and the text as records, in which 0xC0 0x0C is the name asked about.
  ///
  /// The variant has the counts of answers (bits 0 to 3) and of authorities (4 and 5) and the code (6 and 7: none, no
  /// such name, SERVFAIL); with 0xFF the text is all there is.
  static func reply(to question: DNSQuestion, variant: UInt8, text: Octets) -> DNSAnswer {
    let code: UInt8 = [0, 3, 2, 0][Int(variant >> 6)]
    var octets: Octets = [0, 1, 0x81, 0x80 | code, 0, 1, 0, variant & 15, 0, variant >> 4 & 3, 0, 0]
    for label in question.name.bytes.split(separator: UInt8(ascii: ".")) {
      octets.append(UInt8(truncatingIfNeeded: label.count))
      octets += label
    }
    octets += [0, 0, UInt8(truncatingIfNeeded: question.type.wireValue), 0, 1] + text
    let whole = variant == 0xFF ? text : octets
    let answer = DNSAnswer(reply: whole.span, to: question)
    if case .records(let records, let timeToLive) = answer {
      require(timeToLive <= UInt32(Int32.max), "a time to live has 31 bits")
      require(!records.isEmpty && records.allSatisfy { isAsked($0, question.type) }, "the records asked for")
    }
    return answer ?? .failure
  }

  private static func isAsked(_ record: DNSRecord, _ type: DNSRecordType) -> Bool {
    switch record {
    case .address(let address): address.family == .v4 ? type == .a : type == .aaaa
    case .srv: type == .srv
    case .naptr: type == .naptr
    }
  }

  /// A record of the type asked for; sometimes, against the contract, of another.
  private static func record(for question: DNSQuestion, _ choice: UInt8, _ variant: UInt8) -> DNSRecord {
    let isCircular = variant & 0x10 != 0
    let host = DNSName(isCircular ? circles[Int(choice) % 4] : "h\(choice % 8).example.com") ?? .root
    switch variant & 0x40 != 0 ? DNSRecordType.allCases[Int(choice) % 4] : question.type {
    case .a: return .address(choice < 0xF0 ? IPAddress(v4: 0xC633_6400 + UInt32(choice)) : odd(choice))
    case .aaaa:
      return .address(
        choice < 0xF0 ? IPAddress(v6High: 0x2001_0DB8_0000_0000, v6Low: UInt64(choice)) : odd(choice))
    case .srv:
      return .srv(
        priority: UInt16(choice & 3), weight: UInt16(choice >> 4) &* 4000, port: choice == 7 ? 0 : 5060,
        target: choice == 9 ? .root : host)
    case .naptr:
      let service = ["SIP+D2U", "SIP+D2T", "SIPS+D2T", "sip+d2u", "SIP+D2S", "E2U+sip", ""][Int(choice) % 7]
      let prefixes = ["_sip._udp", "_sip._tcp", "_sips._tcp"]
      let name = DNSName("\(prefixes[Int(choice) % 3]).example.com") ?? .root
      return .naptr(
        order: UInt16(choice & 1), preference: UInt16(choice >> 1), flags: choice & 64 == 0 ? "s" : "a",
        service: service, replacement: isCircular ? host : name)
    }
  }

  /// The name asked about, one below it, the proxy's own, and one as long as they come.
  private static let circles = [
    "example.com", "_sip._udp.example.com", "proxy.example.com",
    String(repeating: String(repeating: "x", count: 62) + ".", count: 4).dropLast(1).description,
  ]

  /// Addresses that nobody may be sent to, and our own.
  private static func odd(_ choice: UInt8) -> IPAddress {
    let texts = [
      "0.0.0.0", "255.255.255.255", "224.0.0.1", "127.0.0.1", "192.0.2.10", "::", "::1", "ff02::1", "fe80::1",
      "::ffff:198.51.100.1", "2001:db8::10",
    ]
    return IPAddress(texts[Int(choice) % texts.count]) ?? IPAddress(v4: 0)
  }
}
