import SIPSyntax
import ServerLocation

/// Values outside a message: URIs and their comparison, addresses, Via, names. What is written reads back.
final class ValueTarget: FuzzTarget {
  func run(_ input: Span<UInt8>) {
    guard input.count > 1, input.count <= 4096 else { return }
    let bytes = input.octets(1, input.count)
    let span = bytes.span
    switch input[0] % 6 {
    case 0: checkURI(span)
    case 1: checkNameAddress(span)
    case 2: checkVia(span)
    case 3: checkAddress(span)
    case 4: checkComparison(span)
    default: checkName(span)
    }
  }

  private func whole(_ bytes: Span<UInt8>) -> ByteRange { ByteRange(0, bytes.count) }

  private func checkURI(_ bytes: Span<UInt8>) {
    guard let uri = SIPURI(parsing: bytes, whole(bytes)) else { return }
    let parts = [
      uri.user, uri.userInfo, uri.host, uri.portRange, uri.parameters, uri.transportParameter,
      uri.maddrParameter,
      uri.methodParameter, uri.ttlParameter, uri.transport ?? .none, uri.maddr ?? .none, uri.token ?? .none,
      uri.headers ?? .none,
    ]
    for part in parts { requireInside(part, bytes.count, "part of a URI") }
    require(uri.range == whole(bytes), "a URI is all of its octets")
    guard uri.scheme == .sip || uri.scheme == .sips else { return }
    require(!uri.host.isEmpty, "a sip URI has a host")
    guard let address = uri.hostAddress else { return }
    var output = OutputBuffer(capacity: 64)
    output.append("sip:")
    address.write(to: &output, bracketed: true)
    let again = SIPURI(parsing: output.bytes.span, ByteRange(0, output.count))
    require(again?.hostAddress == address, "a written host is the same address")
  }

  private func checkNameAddress(_ bytes: Span<UInt8>) {
    guard let address = parseNameAddress(bytes, whole(bytes)) else { return }
    requireInside(address.value, bytes.count, "value")
    requireInside(address.uri, bytes.count, "URI")
    requireInside(address.parameters, bytes.count, "parameters")
    requireInside(address.tag, bytes.count, "tag")
    let longer = bytes.octets(address.value) + Array(";x=y".utf8)
    guard let again = parseNameAddress(longer.span, ByteRange(0, longer.count)) else {
      violated("a parameter can be added", #fileID, #line)
    }
    require(bytes.holds(address.uri, asIn: longer.span, again.uri), "the URI stays")
    require(
      bytes.holds(address.tag, asIn: longer.span, again.tag) && address.hasTag == again.hasTag,
      "the tag stays")
  }

  private func checkVia(_ bytes: Span<UInt8>) {
    guard let via = parseVia(bytes, whole(bytes)) else { return }
    require(via.hasSentBy, "a Via has a sent-by")
    for part in [
      via.value, via.transport, via.host, via.branch ?? .none, via.receivedParameter, via.rportParameter,
    ] {
      requireInside(part, bytes.count, "part of a Via")
    }
    require(readSentByAddress(bytes, whole(bytes)) == via.hostAddress, "sent-by alone is the same")
    var changed = bytes.octets(0, bytes.count)
    changed.insert(contentsOf: ";x=y".utf8, at: via.end)
    guard let again = parseVia(changed.span, ByteRange(0, changed.count)) else {
      violated("a parameter can be added to a Via", #fileID, #line)
    }
    require(again.rport == via.rport && again.port == via.port, "rport and port stay")
    require(
      bytes.holds(via.branch ?? .none, asIn: changed.span, again.branch ?? .none), "the branch stays")
    guard via.rport != .absent else { return }
    let filled =
      bytes.octets(0, via.rportParameter.lowerBound) + Array(";rport=5061".utf8)
      + bytes.octets(via.rportParameter.upperBound, bytes.count)
    require(
      parseVia(filled.span, ByteRange(0, filled.count))?.rport == .value(5061), "rport can be filled in")
  }

  private func checkAddress(_ bytes: Span<UInt8>) {
    if let address = IPAddress(bytes, whole(bytes)) {
      for isBracketed in [true, false] {
        var output = OutputBuffer(capacity: 64)
        address.write(to: &output, bracketed: isBracketed)
        require(
          IPAddress(output.bytes.span, ByteRange(0, output.count)) == address, "a written address is the same"
        )
      }
      require(address.canonical.canonical == address.canonical, "canonical once is canonical")
    }
    let text = String(decoding: bytes.octets(0, bytes.count), as: UTF8.self)
    if let address = SocketAddress(text) {
      require(SocketAddress(address.description) == address, "a written socket address is the same")
    }
    if let block = AddressBlock(text) {
      require(AddressBlock(block.description) == block, "a written block is the same")
      require(block.contains(block.first), "a block contains its first address")
    }
    if let delta = DeltaSeconds(bytes, whole(bytes)) {
      var output = OutputBuffer(capacity: 16)
      output.append(decimal: UInt64(delta.seconds))
      require(
        DeltaSeconds(output.bytes.span, ByteRange(0, output.count)) == delta, "a written number is the same")
    }
  }

  /// RFC 3261 §19.1.4: equivalence has no direction.
  private func checkComparison(_ bytes: Span<UInt8>) {
    var split = 0
    while split < bytes.count, bytes[split] != 10 { split += 1 }
    guard split < bytes.count, let left = SIPURI(parsing: bytes, ByteRange(0, split)),
      let right = SIPURI(parsing: bytes, ByteRange(split + 1, bytes.count))
    else { return }
    require(
      SIPURI.areEquivalent(left, bytes, right, bytes) == SIPURI.areEquivalent(right, bytes, left, bytes),
      "equivalence has no direction")
    if bytes.octets(left.range) == bytes.octets(right.range), left.parameters.isEmpty, left.headers == nil {
      require(SIPURI.areEquivalent(left, bytes, right, bytes), "the same octets are equivalent")
    }
  }

  private func checkName(_ bytes: Span<UInt8>) {
    guard let name = DNSName(bytes, whole(bytes)) else { return }
    require(DNSName(name.description) == name, "a written name is the same")
  }
}
