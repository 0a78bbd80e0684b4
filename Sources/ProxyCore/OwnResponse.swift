// RFC 3261 sections 8.2.6, 8.2.7, 16.1 and 21; RFC 4028 section 6: responses the proxy makes itself (B3, B4,
// A55–A57, G6).
//
// Left open: the To tag. It is a keyed hash of Call-ID, From tag and CSeq number, so every response of ours
// to one request has the same tag (B4) and a stateless one can be repeated and its ACK recognised (G6).

import PagedStorage
import SIPSyntax

/// Status, reason and the one extra header field of a response that we originate.
struct OwnResponse {
  /// The header field that some statuses carry.
  enum Extra {
    case none
    /// 422: the smallest interval we accept (A55).
    case minSE(DeltaSeconds)
    /// 503: when to come back.
    case retryAfter(seconds: UInt64)
    /// 420: the tags of Proxy-Require that we do not understand (B23).
    case unsupportedProxyRequire
    /// 480: sips leads no further (RFC 5630 §5.3).
    case sipsWarning
    /// 200 to OPTIONS: what we are able to do.
    case capabilities
  }

  var status: UInt16
  var reason: StaticString
  var extra: Extra = .none
  init(_ status: UInt16, _ reason: StaticString, _ extra: Extra = .none) {
    self.status = status
    self.reason = reason
    self.extra = extra
  }

  static let trying = OwnResponse(100, "Trying")
  static let forbidden = OwnResponse(403, "Forbidden")
  static let notFound = OwnResponse(404, "Not Found")
  static let requestTimeout = OwnResponse(408, "Request Timeout")
  static let unsupportedScheme = OwnResponse(416, "Unsupported URI Scheme")
  static let badExtension = OwnResponse(420, "Bad Extension", .unsupportedProxyRequire)
  static let flowFailed = OwnResponse(430, "Flow Failed")
  static let sipsNotAllowed = OwnResponse(480, "Temporarily Unavailable", .sipsWarning)
  static let loopDetected = OwnResponse(482, "Loop Detected")
  static let tooManyHops = OwnResponse(483, "Too Many Hops")
  static let requestTerminated = OwnResponse(487, "Request Terminated")
  static let serverError = OwnResponse(500, "Server Internal Error")
  static let messageTooLarge = OwnResponse(513, "Message Too Large")
  static let nextHopUnreachable = OwnResponse(500, "Next Hop Not Reachable")
  static let nextHopNotFound = OwnResponse(500, "Next Hop Not Found")
  static let optionsAnswer = OwnResponse(200, "OK", .capabilities)
  static let cancelAnswer = OwnResponse(200, "OK")

  /// 503 with Retry-After: a limit is reached, or the proxy is about to stop.
  static func unavailable(retryAfter seconds: UInt64) -> OwnResponse {
    OwnResponse(503, "Service Unavailable", .retryAfter(seconds: seconds))
  }

  /// 422 with the smallest interval we accept (A55).
  static func intervalTooSmall(minSE: DeltaSeconds) -> OwnResponse {
    OwnResponse(422, "Session Interval Too Small", .minSE(minSE))
  }
}

/// How the Via rows of the request at hand relate to what its client sent.
enum ViaSource {
  /// The request as received: the top Via still lacks `received` and `rport`.
  case received(ViaStamp)
  /// The request as we forwarded it: the first Via row is ours and not the client's.
  case forwarded
}

extension OwnResponse {
  /// Writes the whole message. Rows are copied as they came (B3); a missing one is left out (E19).
  func write(
    to message: borrowing SIPMessage, _ bytes: Span<UInt8>, via: ViaSource, tagKey: HashKey,
    edits: inout MessageEdits, into output: inout OutputBuffer
  ) {
    output.append("SIP/2.0 ")
    output.append(decimal: UInt64(status))
    output.append(UInt8(ascii: " "))
    output.append(reason)
    output.append("\r\n")
    writeVias(of: message, bytes, via, &edits, into: &output)
    copyRows(.from, of: message, bytes, into: &output)
    writeTo(of: message, bytes, tagKey: tagKey, into: &output)
    copyRows(.callID, of: message, bytes, into: &output)
    copyRows(.cSeq, of: message, bytes, into: &output)
    if status == 100 { copyRows(.timestamp, of: message, bytes, into: &output) }
    writeExtra(for: message, bytes, into: &output)
    output.append("Content-Length: 0\r\n\r\n")
  }

  private func writeVias(
    of message: borrowing SIPMessage, _ bytes: Span<UInt8>, _ source: ViaSource, _ edits: inout MessageEdits,
    into output: inout OutputBuffer
  ) {
    var row = message.first(.via)
    switch source {
    case .forwarded:
      row = row.flatMap { message.next(after: $0) }
    case .received(let stamp):
      guard let top = row else { break }
      edits.removeAll()
      stamp.add(to: &edits)
      edits.apply(to: bytes, range: message[field: top].row, into: &output)
      row = message.next(after: top)
    }
    while let index = row {
      output.append(bytes, message[field: index].row)
      row = message.next(after: index)
    }
  }

  private func copyRows(
    _ name: FieldName, of message: borrowing SIPMessage, _ bytes: Span<UInt8>, into output: inout OutputBuffer
  ) {
    guard let row = message.first(name) else { return }
    let range = message[field: row].row
    output.append(bytes, range)
    // A request cut off inside this row: the answer's own rows still end.
    if range.count < 2 || !bytes.equals(ByteRange(range.upperBound - 2, range.upperBound), "\r\n") {
      output.append("\r\n")
    }
  }

  private func writeTo(
    of message: borrowing SIPMessage, _ bytes: Span<UInt8>, tagKey: HashKey, into output: inout OutputBuffer
  ) {
    guard let index = message.first(.to) else { return }
    let field = message[field: index]
    guard status != 100, !message.to.hasTag, message.to.value.upperBound > 0 else {
      output.append(bytes, field.row)
      return
    }
    output.append(bytes, ByteRange(field.row.lowerBound, field.value.upperBound))
    output.append(";tag=")
    Self.writeTag(for: message, bytes, key: tagKey, to: &output)
    output.append(bytes, ByteRange(field.value.upperBound, field.row.upperBound))
  }

  private func writeExtra(
    for message: borrowing SIPMessage, _ bytes: Span<UInt8>, into output: inout OutputBuffer
  ) {
    switch extra {
    case .none:
      break
    case .minSE(let interval):
      output.append("Min-SE: ")
      output.append(decimal: UInt64(interval.seconds))
      output.append("\r\n")
    case .retryAfter(let seconds):
      output.append("Retry-After: ")
      output.append(decimal: seconds)
      output.append("\r\n")
    case .unsupportedProxyRequire:
      output.append("Unsupported: ")
      writeUnsupported(of: message, bytes, into: &output)
      output.append("\r\n")
    case .sipsWarning:
      output.append("Warning: 380 callkeeper \"SIPS Not Allowed\"\r\n")
    case .capabilities:
      output.append("Accept: */*\r\nAccept-Encoding: identity\r\nSupported: timer\r\n")
    }
  }

  private func writeUnsupported(
    of message: borrowing SIPMessage, _ bytes: Span<UInt8>, into output: inout OutputBuffer
  ) {
    var cursor = ListCursor(.proxyRequire, in: message)
    var isFirst = true
    while let element = cursor.next(message, bytes) {
      if bytes.equalsIgnoringCase(element.value, "timer") { continue }
      if !isFirst { output.append(", ") }
      isFirst = false
      output.append(bytes, element.value)
    }
  }

  /// The To tag of all our own responses to a request (B4, G6).
  static func tag(for message: borrowing SIPMessage, _ bytes: Span<UInt8>, key: HashKey) -> UInt64 {
    var hasher = KeyedHasher(key: key, output: .bits64)
    hasher.append(UInt64(0x636b_2d74_6f2d_7461))
    hasher.appendField(bytes, message.callID)
    hasher.appendField(bytes, message.from.tag)
    hasher.append(UInt64(message.cSeq.number))
    return hasher.finish64()
  }

  private static func writeTag(
    for message: borrowing SIPMessage, _ bytes: Span<UInt8>, key: HashKey, to output: inout OutputBuffer
  ) {
    output.append(base32: tag(for: message, bytes, key: key), digits: 13)
  }

  /// Whether a To tag is the one our own responses to this request carry.
  static func isOwnTag(of message: borrowing SIPMessage, _ bytes: Span<UInt8>, key: HashKey) -> Bool {
    let tag = message.to.tag
    guard message.to.hasTag, tag.count == 13 else { return false }
    return bytes.base32(at: tag.lowerBound, digits: 13) == Self.tag(for: message, bytes, key: key)
  }

  /// The counter that this status raises.
  var counter: Counter {
    switch status {
    case 100: .tryingSent
    case 200: .answered200
    case 400: .answered400
    case 403: .answered403
    case 404: .answered404
    case 408: .answered408
    case 416: .answered416
    case 420: .answered420
    case 422: .answered422
    case 430: .answered430
    case 482: .answered482
    case 483: .answered483
    case 500: .answered500
    case 501: .answered501
    case 503: .answered503
    case 505: .answered505
    default: .answeredOther
    }
  }
}
