// RFC 3261 §20.10: parameters behind the URI of a Contact and its like that are asked for only now and then.

extension NameAddress {
  /// Whether a header parameter of this lower-case name stands behind the URI; linear in the parameters.
  public func hasParameter(_ name: StaticString, in bytes: Span<UInt8>) -> Bool {
    var scanner = FieldScanner(bytes, parameters)
    while scanner.accept(bytes, UInt8(ascii: ";")) {
      scanner.skipSpace(bytes)
      guard let parameter = scanner.parameter(bytes) else { return false }
      if bytes.equalsIgnoringCase(parameter.name, name) { return true }
      scanner.skipSpace(bytes)
    }
    return false
  }
}
