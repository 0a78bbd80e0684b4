import SIPSyntax
import SessionTimers
import Testing

@Suite("RFC 4028 §4 and §5: what a session refresh request says")
struct SessionRefreshRequestTests {
  /// What an UPDATE without a body (A49) with these rows says.
  static func reading(_ rows: String...) throws -> SessionRefreshRequest {
    let text =
      ([
        "UPDATE sip:bob@192.0.2.2 SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776",
        "Max-Forwards: 70", "From: <sip:alice@192.0.2.1>;tag=1", "To: <sip:bob@192.0.2.2>;tag=2",
        "Call-ID: a84b4c76e66710", "CSeq: 2 UPDATE",
      ] + rows + ["Content-Length: 0", "", ""]).joined(separator: "\r\n")
    let bytes = Array(text.utf8)
    var message = SIPMessage()
    guard case .wellFormed = message.parse(bytes.span) else {
      Issue.record("not well-formed: \(text)")
      throw CancellationError()
    }
    return SessionRefreshRequest(message, bytes.span)
  }

  // A1, A2, A39.
  @Test("INVITE and UPDATE are session refresh requests, nothing else is", arguments: SIPMethod.allCases)
  func methods(_ method: SIPMethod) {
    #expect(method.isSessionRefresh == [.invite, .update].contains(method))
  }

  // A11, A21.
  @Test(
    "Supported lists timer in either form, any row, any place, any letter case",
    arguments: [
      "Supported: timer", "k: timer", "K:TIMER", "Supported: 100rel, timer", "supported : timer,100rel",
      "Supported: 100rel\r\nk: path , Timer", "Supported:\r\n timer",
    ])
  func supported(row: String) throws {
    #expect(try Self.reading(row).supportsTimer)
  }

  // A21, A47.
  @Test(
    "What only resembles timer in Supported does not count",
    arguments: [
      "Supported: timers", "Supported: xtimer", "Supported: \"timer\"", "Supported: timer;x", "Supported:",
      "Require: timer", "Proxy-Require: timer", "X-Supported: timer", "Subject: Supported: timer",
    ])
  func unsupported(row: String) throws {
    #expect(try !Self.reading(row).supportsTimer)
  }

  // A11, A12, A13, A15, A16, A20.
  @Test(
    "Session-Expires is read in all its legal forms",
    arguments: [
      ("Session-Expires: 1800", 1800, nil), ("x: 1800", 1800, nil), ("X:0090", 90, nil),
      ("session-expires : 3600 ; refresher = UAS", 3600, .uas), ("x: 3600;\r\n Refresher=uac", 3600, .uac),
      ("x: 90;a=b;refresher=uac;c", 90, .uac), ("x: 90;refresher=both", 90, nil),
      ("x: 90;refresher", 90, nil),
      ("x: 4294967296", .max, nil), ("x: 99999999999999999999999999", .max, nil),
    ] as [(String, UInt32, Refresher?)])
  func sessionExpires(row: String, interval: UInt32, refresher: Refresher?) throws {
    guard case .present(let field) = try Self.reading(row).sessionExpires else {
      Issue.record("not read")
      return
    }
    #expect(field.interval == DeltaSeconds(interval))
    #expect(field.refresher == refresher)
  }

  // A17, A38.
  @Test(
    "Session-Expires that is malformed or repeated is opaque",
    arguments: [
      "x:", "x: -1", "x: +90", "x: 90s", "x: abc", "x: ;refresher=uac", "x: 90, 100",
      "x: 90\r\nSession-Expires: 90",
    ])
  func opaqueSessionExpires(row: String) throws {
    let request = try Self.reading(row, "Supported: timer")
    #expect(request.sessionExpires == .opaque)
    #expect(SessionTimerPolicy.standard.decision(for: request).clause == .a38)
  }

  // A18, A19: what the table's m is.
  @Test(
    "m is the Min-SE of the request, 90 when absent, below or unreadable",
    arguments: [
      (nil, 90), ("Min-SE: 300", 300), ("min-se: 0300;x=y", 300), ("Min-SE: 30", 90), ("Min-SE: -5", 90),
      ("Min-SE: 300\r\nMin-SE: 300", 90),
    ] as [(String?, UInt32)])
  func minSE(row: String?, m: UInt32) throws {
    let request = try row.map { try Self.reading($0) } ?? Self.reading()
    #expect(request.effectiveMinSE == DeltaSeconds(m))
  }
}
