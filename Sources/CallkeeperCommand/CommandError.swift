import EventIO
import Glibc

/// What the process ends with; the numbers are those of sysexits.h.
enum ExitStatus: Int32 {
  case ok = 0
  /// The command line cannot be understood.
  case usage = 64
  /// A query found no running proxy.
  case notRunning = 69
  /// A socket cannot be made, most often because another process has the address.
  case cannotCreate = 73
  /// The system does not permit it.
  case noPermission = 77
  /// The settings are understood and refused.
  case configuration = 78
}

/// The end of a command before its time: one line for people and an exit status.
struct CommandError: Error, CustomStringConvertible, Equatable {
  let status: ExitStatus
  /// One line, without the program's name in front.
  let description: String

  init(_ status: ExitStatus, _ description: String) {
    self.status = status
    self.description = description
  }

  /// A socket or file that the system refused while the proxy was starting.
  init(starting error: EventIOError, _ advice: String = "") {
    let isForbidden = error.errorNumber == EACCES || error.errorNumber == EPERM
    var line = printable("\(error)")
    if !advice.isEmpty { line += "; \(advice)" }
    self.init(isForbidden ? .noPermission : .cannotCreate, line)
  }
}

/// `text` with everything that could move a terminal's cursor written as `\xNN`.
func printable(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    if scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) || scalar.properties.isBidiControl
      || scalar.value == 0x2028 || scalar.value == 0x2029
    {
      for byte in String(scalar).utf8 {
        result += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    } else {
      result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// Writes a line to a descriptor in one go, so that lines of several processes do not mix.
func writeLine(_ text: String, to descriptor: Int32) {
  let bytes = Array((text + "\n").utf8)
  var written = 0
  while written < bytes.count {
    let count = unsafe bytes.withUnsafeBytes { bytes in
      unsafe write(descriptor, bytes.baseAddress?.advanced(by: written), bytes.count - written)
    }
    if count < 0 && errno == EINTR { continue }
    if count <= 0 { return }
    written += count
  }
}
