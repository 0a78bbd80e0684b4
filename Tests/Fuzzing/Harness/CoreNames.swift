import SIPSyntax
import ServerLocation

/// A small DNS: what an event's variant and text make of a question.
enum CoreNames {
  static func answer(to question: DNSQuestion, variant: UInt8, text: Octets) -> DNSAnswer {
    let timeToLive: UInt32 = variant & 0x80 == 0 ? 60 : 0
    switch variant & 3 {
    case 0: return .failure
    case 1: return .none(timeToLive: timeToLive)
    default: break
    }
    // One record for each octet of the text, one at least.
    let choices = text.isEmpty ? [variant >> 2] : Array(text.prefix(80))
    return .records(
      choices.map { record(for: question, $0, isForeign: variant & 0x40 != 0) }, timeToLive: timeToLive)
  }

  /// A record of the type asked for; sometimes, against the contract, of another.
  private static func record(for question: DNSQuestion, _ choice: UInt8, isForeign: Bool) -> DNSRecord {
    let host = DNSName("h\(choice % 8).example.com") ?? .root
    switch isForeign ? DNSRecordType.allCases[Int(choice) % 4] : question.type {
    case .a: return .address(IPAddress(v4: 0xC633_6400 + UInt32(choice)))
    case .aaaa: return .address(IPAddress(v6High: 0x2001_0DB8_0000_0000, v6Low: UInt64(choice)))
    case .srv:
      return .srv(
        priority: UInt16(choice & 3), weight: UInt16(choice >> 4) &* 4000, port: choice == 7 ? 0 : 5060,
        target: choice == 9 ? .root : host)
    case .naptr:
      let service = ["SIP+D2U", "SIP+D2T", "SIPS+D2T", "sip+d2u", "SIP+D2S", "E2U+sip", ""][Int(choice) % 7]
      let prefixes = ["_sip._udp", "_sip._tcp", "_sips._tcp"]
      return .naptr(
        order: UInt16(choice & 1), preference: UInt16(choice >> 1), flags: choice & 64 == 0 ? "s" : "a",
        service: service, replacement: DNSName("\(prefixes[Int(choice) % 3]).example.com") ?? .root)
    }
  }
}
