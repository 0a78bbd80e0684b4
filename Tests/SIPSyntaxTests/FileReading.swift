import Glibc

/// The bytes of a file; nil when it cannot be read.
func contents(ofFile path: String) -> [UInt8]? {
  guard let file = unsafe fopen(path, "rb") else { return nil }
  defer { unsafe fclose(file) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 4096)
  while true {
    let count = unsafe fread(&chunk, 1, chunk.count, file)
    if count == 0 { return bytes }
    bytes += chunk[..<count]
  }
}

/// The value of an environment variable.
func environment(_ name: String) -> String? {
  guard let value = unsafe getenv(name) else { return nil }
  return unsafe String(cString: value)
}

/// A file in this target's Fixtures folder.
func fixture(_ name: String) -> [UInt8]? {
  let here = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast()
  return contents(ofFile: here.joined(separator: "/") + "/Fixtures/" + name)
}
