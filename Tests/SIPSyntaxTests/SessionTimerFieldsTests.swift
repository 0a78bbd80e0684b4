import SIPSyntax
import Testing

@Suite("RFC 4028 §4 and §5: Session-Expires and Min-SE")
struct SessionTimerFieldsTests {
  private func reading(_ rows: [String]) -> String {
    let bytes = request(adding: rows)
    var parsed = SIPMessage()
    _ = parsed.parse(bytes.span)
    switch readSessionExpires(parsed, bytes.span) {
    case .absent: return "absent"
    case .opaque: return "opaque"
    case .present(let value):
      let refresher = value.refresher.map { "\($0)" } ?? "-"
      return "\(value.interval.seconds) \(refresher) \(text(bytes, value.digits))"
    }
  }

  @Test(
    "Session-Expires is read in every legal spelling",
    arguments: [
      (["Session-Expires: 1800"], "1800 - 1800"), (["x:90;refresher=uac"], "90 uac 90"),  // A11
      (["SESSION-EXPIRES :\r\n 0090 ; Refresher = UAS ; x=\"y;z\""], "90 uas 0090"),  // A13, A15
      (["x: 99999999999999999999999"], "4294967295 - 99999999999999999999999"),  // A16
      (["x: 90;refresher=both"], "90 - 90"), (["x: 90;refresher"], "90 - 90"),
      (["x: 90;refresher=\"uac\""], "90 - 90"),  // A20
      ([], "absent"),
    ])
  func legal(rows: [String], expected: String) { #expect(reading(rows) == expected) }

  @Test(
    "a malformed or repeated Session-Expires is opaque",
    arguments: [
      ["x:"], ["x: -90"], ["x: +90"], ["x: 90s"], ["x: ;refresher=uac"], ["x: 90 uac"], ["x: 90;"],
      ["x: 90;;a"],
      ["x: 90, 90"], ["x: 90", "Session-Expires: 90"], ["x: 90;refresher=uac;refresher=uas"],
    ])
  func opaque(rows: [String]) { #expect(reading(rows) == "opaque") }  // A17

  @Test(
    "Min-SE is read the same way and has no compact form",
    arguments: [
      (["Min-SE: 120;x"], FieldReading.present(MinSE(interval: DeltaSeconds(120)))),
      (["Min-SE: 60"], .present(MinSE(interval: DeltaSeconds(60)))),
      (["Min-SE: x"], .opaque), (["Min-SE: 90", "Min-SE: 90"], .opaque), ([], .absent),
    ])
  func minimum(rows: [String], expected: FieldReading<MinSE>) {  // A11, A18, A19
    let bytes = request(adding: rows)
    var parsed = SIPMessage()
    _ = parsed.parse(bytes.span)
    switch (readMinSE(parsed, bytes.span), expected) {
    case (.present(let found), .present(let wanted)): #expect(found.interval == wanted.interval)
    case (let found, let wanted): #expect(found == wanted)
    }
  }
}
