import SIPSyntax

/// The parser: ranges that exist, the same answer twice, copies and edits that read back as what they are. And the finder
/// of Call-IDs, which must agree with it.
final class MessageTarget: FuzzTarget {
  private var message = SIPMessage(rowLimit: 64)
  private var second = SIPMessage(rowLimit: 64)
  private var edits = MessageEdits()
  private var output = OutputBuffer(capacity: 4096)
  private let finder = CallIDFinder()

  func run(_ input: Span<UInt8>) {
    guard input.count <= 20_000 else { return }
    let streamEnd: Int? =
      if case .wellFormed = message.parse(input, datagram: false) { message.messageEnd } else { nil }
    let outcome = message.parse(input)
    let callID = finder.find(in: input)
    if let callID { requireInside(callID, input.count, "Call-ID that nobody parsed") }
    checkRanges(input)
    readLists(input)
    checkSessionTimerFields(input)
    if let streamEnd {
      guard case .wellFormed = outcome else { violated("a stream's message is a datagram's", #fileID, #line) }
      require(message.messageEnd == streamEnd, "both ends of one message are equal")
    }
    guard case .wellFormed = outcome else { return }
    require(callID == message.callID, "a call goes to the worker that its Call-ID names")
    checkCopy(input)
    checkForwarded(input)
    removeElement(of: .route, input)
    removeElement(of: .supported, input)
    removeElement(of: .via, input)
  }

  private func checkRanges(_ input: Span<UInt8>) {
    let count = input.count
    requireInside(message.startLine, count, "start line")
    requireInside(message.body, count, "body")
    requireInside(message.callID, count, "Call-ID")
    requireInside(message.from.value, count, "From")
    requireInside(message.to.value, count, "To")
    requireInside(message.topVia.value, count, "Via")
    require(message.headersEnd <= count, "headersEnd")
    var end = message.startLine.upperBound
    for index in 0..<message.fieldCount {
      let field = message[field: index]
      requireInside(field.row, count, "row")
      requireInside(field.value, count, "value")
      require(field.row.lowerBound >= end, "rows stand one behind the other")
      require(field.value.lowerBound >= field.row.lowerBound, "a value stands in its row")
      require(field.value.upperBound <= field.row.upperBound, "a value ends in its row")
      end = field.row.upperBound
      if let next = message.next(after: index) {
        require(next > index && message[field: next].name == field.name, "chains lead down by name")
      }
    }
    require(message.body.lowerBound >= end || message.fieldCount == 0, "the body stands behind the rows")
  }

  private func readLists(_ input: Span<UInt8>) {
    for name in FieldName.allCases where message.first(name) != nil {
      var cursor = ListCursor(name, in: message)
      var end = 0
      while let element = cursor.next(message, input) {
        requireInside(element.value, input.count, "element")
        requireInside(element.removal, input.count, "removal")
        require(!element.value.isEmpty && element.value.lowerBound >= end, "elements stand in order")
        end = element.value.upperBound
        _ = parseVia(input, element.value)
        if let address = parseNameAddress(input, element.value) {
          requireInside(address.uri, input.count, "URI")
          _ = SIPURI(parsing: input, address.uri)
        }
      }
    }
  }

  /// A14: replacing the digits changes the interval and nothing else.
  private func checkSessionTimerFields(_ input: Span<UInt8>) {
    if case .present(let field) = readSessionExpires(message, input) {
      let changed = replacing(field.digits, with: "1801", in: input)
      if case .wellFormed = second.parse(changed.span) {
        guard case .present(let again) = readSessionExpires(second, changed.span) else {
          violated("Session-Expires can be read after an edit", #fileID, #line)
        }
        require(again.interval.seconds == 1801 && again.refresher == field.refresher, "digits alone change")
      }
    }
    if case .present(let field) = readMinSE(message, input) {
      let changed = replacing(field.digits, with: "91", in: input)
      if case .wellFormed = second.parse(changed.span) {
        require(
          readMinSE(second, changed.span)
            == .present(
              MinSE(
                interval: DeltaSeconds(91),
                digits: ByteRange(
                  field.digits.lowerBound, field.digits.lowerBound + 2))), "digits alone change")
      }
    }
  }

  /// E15, E16: without edits the copy is the message, and it reads the same.
  private func checkCopy(_ input: Span<UInt8>) {
    edits.removeAll()
    output.removeAll()
    let range = ByteRange(message.startLine.lowerBound, message.messageEnd)
    edits.apply(to: input, range: range, into: &output)
    let octets = output.bytes
    let copy = octets.span
    require(input.holds(range, asIn: copy, ByteRange(0, copy.count)), "a copy is the same octets")
    guard case .wellFormed = second.parse(copy) else { violated("a copy is well-formed", #fileID, #line) }
    require(second.messageEnd == copy.count, "a copy ends where it ends")
    requireSameValues(input, copy)
  }

  /// E45, B62: our copy with a Via on top reads as the same message behind that Via.
  private func checkForwarded(_ input: Span<UInt8>) {
    guard let top = message.first(.via) else { violated("there is a Via", #fileID, #line) }
    edits.removeAll()
    output.removeAll()
    edits.begin(insertingAt: message[field: top].row.lowerBound)
    edits.text.append("Via: SIP/2.0/UDP 192.0.2.10;rport;branch=z9hG4bKours\r\n")
    edits.end()
    edits.apply(to: input, range: ByteRange(message.startLine.lowerBound, message.messageEnd), into: &output)
    let octets = output.bytes
    let copy = octets.span
    guard case .wellFormed = second.parse(copy, forwarded: true) else {
      violated("a forwarded message is well-formed", #fileID, #line)
    }
    require(second.topVia.branch.map { copy.equals($0, "z9hG4bKours") } == true, "our Via is on top")
    require(second.count(.via) == message.count(.via) + 1, "one Via row more")
    require(second.fieldCount == message.fieldCount + 1, "one row more")
    require(input.holds(message.body, asIn: copy, second.body), "the body is untouched")
  }

  private func requireSameValues(_ input: Span<UInt8>, _ copy: Span<UInt8>) {
    require(message.isRequest == second.isRequest && message.status == second.status, "kind")
    require(message.method == second.method && message.maxForwards == second.maxForwards, "method")
    require(message.fieldCount == second.fieldCount, "number of rows")
    require(input.holds(message.requestURI, asIn: copy, second.requestURI), "Request-URI")
    require(input.holds(message.callID, asIn: copy, second.callID), "Call-ID")
    require(message.cSeq.number == second.cSeq.number && message.cSeq.method == second.cSeq.method, "CSeq")
    require(input.holds(message.from.tag, asIn: copy, second.from.tag), "From tag")
    require(input.holds(message.to.tag, asIn: copy, second.to.tag), "To tag")
    require(message.topVia.port == second.topVia.port && message.topVia.rport == second.topVia.rport, "Via")
    require(input.holds(message.topVia.value, asIn: copy, second.topVia.value), "Via value")
    require(input.holds(message.body, asIn: copy, second.body), "body")
  }

  /// E16: taking one element away leaves the others as they are, in order.
  private func removeElement(of name: FieldName, _ input: Span<UInt8>) {
    var elements: [ListCursor.Element] = []
    var cursor = ListCursor(name, in: message)
    while let element = cursor.next(message, input) { elements.append(element) }
    guard !cursor.failed, elements.count > (name == .via ? 1 : 0) else { return }
    let chosen = name == .via ? 0 : input.count % elements.count
    var expected = elements.map { input.octets($0.value) }
    expected.remove(at: chosen)
    let changed = replacing(elements[chosen].removal, with: "", in: input)
    _ = second.parse(changed.span)
    var found: [Octets] = []
    var again = ListCursor(name, in: second)
    while let element = again.next(second, changed.span) { found.append(changed.span.octets(element.value)) }
    require(!again.failed && found == expected, "removing one element leaves the others")
  }

  private func replacing(_ range: ByteRange, with text: StaticString, in input: Span<UInt8>) -> Octets {
    edits.removeAll()
    output.removeAll()
    edits.begin(replacing: range)
    edits.text.append(text)
    edits.end()
    edits.apply(to: input, upTo: input.count, into: &output)
    return output.bytes
  }
}
