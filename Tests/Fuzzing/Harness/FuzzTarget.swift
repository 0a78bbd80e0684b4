import Glibc

/// One thing to be fuzzed. It lives for the whole run, so that tables are allocated once.
protocol FuzzTarget: AnyObject {
  /// Feeds one input; a property that does not hold ends the process.
  func run(_ input: Span<UInt8>)
}

/// The targets by the names that `Scripts/fuzz` knows.
enum FuzzTargets {
  static let names = ["message", "framer", "values", "core"]

  static func make(_ name: String) -> (any FuzzTarget)? {
    switch name {
    case "message": MessageTarget()
    case "framer": FramerTarget()
    case "values": ValueTarget()
    case "core": CoreTarget()
    default: nil
    }
  }
}

/// A property that must hold whatever the input; libFuzzer keeps the input that broke it.
@inline(__always)
func require(
  _ condition: Bool, _ property: @autoclosure () -> String, file: StaticString = #fileID, line: UInt = #line
) {
  if !condition { violated(property(), file, line) }
}

@inline(never)
func violated(_ property: String, _ file: StaticString, _ line: UInt) -> Never {
  fatalError("property does not hold: \(property)", file: file, line: line)
}

/// Set once by `LLVMFuzzerInitialize`; libFuzzer runs inputs one after the other on one thread.
nonisolated(unsafe) private var target: (any FuzzTarget)?

/// Chooses the target that CALLKEEPER_FUZZ_TARGET names.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
  _ argumentCount: UnsafeMutablePointer<CInt>?,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>?
) -> CInt {
  let name = unsafe getenv("CALLKEEPER_FUZZ_TARGET").map { unsafe String(cString: $0) } ?? ""
  guard let made = FuzzTargets.make(name) else {
    print("CALLKEEPER_FUZZ_TARGET must be one of: \(FuzzTargets.names.joined(separator: ", "))")
    exit(64)
  }
  unsafe target = made
  return 0
}

/// One input of libFuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = unsafe UnsafeBufferPointer(start: start, count: count)
  unsafe target?.run(input.span)
  return 0
}
