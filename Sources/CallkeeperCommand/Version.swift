/// The program as it names itself.
enum Program {
  /// Name of the binary.
  static let name = "callkeeper"
  /// The release; the only place where it stands.
  static let version = "0.1.0"
}
