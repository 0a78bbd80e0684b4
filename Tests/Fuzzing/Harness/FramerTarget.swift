import SIPSyntax

/// The stream framer: the same findings however the octets are cut, and agreement with the parser about where a
/// message ends (D31-D35).
final class FramerTarget: FuzzTarget {
  private enum Step: Equatable {
    case message(Octets)
    case ping
    case failed(status: UInt16, section: Octets)
  }

  private let limits = StreamLimits(headerSection: 2048, body: 1024)
  private var message = SIPMessage(rowLimit: 64)

  func run(_ input: Span<UInt8>) {
    guard input.count > 1, input.count <= 20_000 else { return }
    let chunk = Int(input[0])
    let stream = input.octets(1, input.count)
    let whole = frame(stream, chunk: stream.count)
    require(whole == frame(stream, chunk: chunk % 16 + 1), "small reads frame as large ones")
    require(whole == frame(stream, chunk: chunk * 8 + 1), "medium reads frame as large ones")
    for case .message(let octets) in whole { checkMessage(octets) }
    checkDatagram(stream)
  }

  /// What the framer finds when the stream arrives in chunks.
  private func frame(_ stream: Octets, chunk: Int) -> [Step] {
    var framer = StreamFramer(limits: limits)
    var steps: [Step] = []
    var start = 0
    var end = 0
    while end < stream.count {
      end = min(stream.count, end + chunk)
      var isWaiting = false
      while !isWaiting {
        let window = stream.span.extracting(start..<end)
        let (finding, consumed) = framer.next(window)
        require(consumed <= window.count, "no more is consumed than there is")
        switch finding {
        case .incomplete: isWaiting = true
        case .ping: steps.append(.ping)
        case .message(let range):
          require(range.upperBound == consumed && !range.isEmpty, "a message is consumed to its end")
          require(range.count <= limits.headerSection + limits.body, "a message is within the limits")
          require(!framer.isInsideMessage, "behind a message the framer is between messages")
          steps.append(.message(window.octets(range)))
        case .broken(let range, let defect), .overflow(let range, let defect):
          requireInside(range, window.count, "broken section")
          require(defect.status >= 400, "a defect has a status")
          steps.append(.failed(status: defect.status, section: window.octets(range)))
        }
        start += consumed
        if start == end, finding != .ping { isWaiting = true }
      }
      require(end - start <= limits.headerSection + limits.body, "what must be kept is bounded")
    }
    return steps
  }

  /// A framed message is to the parser one message that ends where the framer said.
  private func checkMessage(_ octets: Octets) {
    switch message.parse(octets.span, datagram: false) {
    case .wellFormed: require(message.messageEnd == octets.count, "parser and framer agree on the end")
    case .malformed:
      require(message.messageEnd == octets.count, "they agree on the end of a malformed message as well")
    case .unrecognisable: break
    case .keepAlive: violated("a framed message is no keep-alive", #fileID, #line)
    }
  }

  /// A datagram with its exact Content-Length is framed as that one message.
  private func checkDatagram(_ octets: Octets) {
    guard case .wellFormed = message.parse(octets.span, datagram: false), message.messageEnd == octets.count,
      message.headersEnd + 2 - message.startLine.lowerBound <= limits.headerSection,
      message.body.count <= limits.body
    else { return }
    let expected = Array(octets[message.startLine.lowerBound...])
    let found = frame(octets, chunk: octets.count).filter { $0 != .ping }
    require(found == [.message(expected)], "what the parser accepts is framed as one message")
  }
}
