import SIPSyntax
import Testing

@testable import load

@Suite("Messages that are rendered once and patched in place")
struct MessageTemplateTests {
  private func text(_ output: borrowing OutputBuffer) -> String {
    String(decoding: output.bytes, as: UTF8.self)
  }

  @Test("each copy has its own numbers, in fixed widths")
  func patched() {
    var template: MessageTemplate = "\(.call)/\(.sequence)/\(.cSeq)/\(.interval)\n"
    var output = OutputBuffer(capacity: 64)
    template.write(call: 0xFF, sequence: 7, interval: 1_800, to: &output)
    template.write(call: 0x1234_ABCD, sequence: 255, interval: 90, to: &output)
    template.write(call: 0, sequence: 0, interval: 0, to: &output)
    #expect(
      text(output)
        == "000000ff/007/  7/    1800\r\n1234abcd/255/255/      90\r\n00000000/000/  0/       0\r\n")
  }

  @Test("a part brings its marks along")
  func nested() {
    let part: MessageTemplate = "tag=\(.call)"
    var template: MessageTemplate = "To: \("x");\(part);\(.sequence)"
    var output = OutputBuffer(capacity: 64)
    template.write(call: 10, sequence: 2, to: &output)
    #expect(text(output) == "To: x;tag=0000000a;002")
  }

  @Test("every request of the caller is well-formed and names its call")
  func requests() throws {
    let run = RunName(0xDEAD_BEEF)
    let caller = try #require(SocketAddress("127.0.0.1:40000"))
    let callee = try #require(SocketAddress("127.0.0.1:40001"))
    var messages = CallerMessages(from: caller, to: callee, run: run)
    var output = OutputBuffer(capacity: 1_024)
    var message = SIPMessage()
    messages.writeInvite(77, interval: 3_600, to: &output)
    var outcome = message.parse(output.bytes.span)
    var number: UInt32?
    #expect(isWellFormed(outcome))
    number = call(in: output, message.callID, of: run)
    #expect(number == 77)
    guard case .present(let field) = readSessionExpires(message, output.bytes.span) else {
      Issue.record("no session interval")
      return
    }
    #expect(field.interval.seconds == 3_600)
    let end = message.messageEnd
    let count = output.count
    #expect(end == count)
    for (method, name) in [(CallerMessages.Method.ack, SIPMethod.ack), (.update, .update), (.bye, .bye)] {
      output.removeAll()
      messages.write(
        method, 77, sequence: 12, interval: 90, to: &output, target: { $0.append("sip:callee@127.0.0.1") },
        routes: { $0.append("Route: <sip:127.0.0.1;lr>\r\n") })
      outcome = message.parse(output.bytes.span)
      #expect(isWellFormed(outcome))
      let found = (message.method, message.cSeq.number, message.count(.route))
      #expect(found == (name, 12, 1))
      number = call(in: output, message.callID, of: run)
      #expect(number == 77)
    }
    number = call(in: output, message.callID, of: RunName(1))
    #expect(number == nil)
  }

  private func call(in output: borrowing OutputBuffer, _ callID: ByteRange, of run: RunName) -> UInt32? {
    run.call(in: output.bytes.span, callID)
  }

  private func isWellFormed(_ outcome: SIPMessage.Outcome) -> Bool {
    if case .wellFormed = outcome { true } else { false }
  }
}
