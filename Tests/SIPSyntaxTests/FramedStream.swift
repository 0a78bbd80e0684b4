import SIPSyntax

/// What a stream was found to consist of.
enum StreamPiece: Equatable {
  case message([UInt8])
  case ping
  case broken(String, [UInt8])
  case overflow(String, [UInt8])
}

/// A connection's receiving end: keeps what is not consumed, as the edge does.
struct FramedStream {
  var framer: StreamFramer
  private(set) var kept: [UInt8] = []
  private(set) var pieces: [StreamPiece] = []

  init(limits: StreamLimits = StreamLimits()) { framer = StreamFramer(limits: limits) }

  /// Takes the octets of one read.
  mutating func read(_ octets: some Sequence<UInt8>) {
    kept += octets
    while true {
      let front = kept
      let (finding, consumed) = framer.next(front.span)
      switch finding {
      case .incomplete: break
      case .message(let range): pieces.append(.message(slice(range)))
      case .ping: pieces.append(.ping)
      case .broken(let range, let defect):
        pieces.append(.broken("\(defect.status) \(defect.reason)", slice(range)))
      case .overflow(let range, let defect):
        pieces.append(.overflow("\(defect.status) \(defect.reason)", slice(range)))
      }
      kept.removeFirst(consumed)
      if finding == .incomplete { return }
    }
  }

  private func slice(_ range: ByteRange) -> [UInt8] { Array(kept[range.lowerBound..<range.upperBound]) }

  /// The pieces of a stream that arrives in reads of `size` octets.
  static func pieces(
    of octets: [UInt8], readsOf size: Int, limits: StreamLimits = StreamLimits()
  ) -> [StreamPiece] {
    var stream = FramedStream(limits: limits)
    for start in stride(from: 0, to: octets.count, by: size) {
      stream.read(octets[start..<min(start + size, octets.count)])
    }
    return stream.pieces
  }
}
