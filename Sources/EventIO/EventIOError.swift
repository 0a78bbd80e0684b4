import Glibc

/// What the operating system refused: the operation, its reason, and the address or path concerned.
public struct EventIOError: Error, Equatable, CustomStringConvertible {
  /// The operation, as it reads after "cannot": `bind`, `listen on`.
  public let operation: String
  /// The system's `errno`.
  public let errorNumber: Int32
  /// The address or path, as the user wrote it where possible.
  public let address: String

  /// Describes a failed operation.
  public init(operation: String, errorNumber: Int32, address: String) {
    self.operation = operation
    self.errorNumber = errorNumber
    self.address = address
  }

  /// One line for people: `cannot bind udp:127.0.0.1:5060: Address already in use`.
  public var description: String {
    "cannot \(operation) \(address): \(EventIOError.text(of: errorNumber))"
  }

  /// The system's words for an error number.
  static func text(of errorNumber: Int32) -> String {
    guard let text = unsafe strerror(errorNumber) else { return "error \(errorNumber)" }
    return unsafe String(cString: text)
  }

  /// Turns a shim's result below zero into an error, and passes any other on.
  static func check(
    _ result: Int32, _ operation: String, _ address: @autoclosure () -> String
  ) throws(EventIOError) -> Int32 {
    if result < 0 {
      throw EventIOError(operation: operation, errorNumber: -result, address: address())
    }
    return result
  }
}
