import EventIO
import Glibc

/// What the process ends with; the numbers are those of sysexits.h.
enum ExitStatus: Int32 {
  case ok = 0
  /// The command line cannot be understood.
  case usage = 64
  /// A query found no running proxy.
  case notRunning = 69
  /// The system does not let a running proxy go on.
  case systemFailure = 71
  /// A socket cannot be made, most often because another process has the address.
  case cannotCreate = 73
  /// Standard output does not take what a command has to say.
  case cannotWrite = 74
  /// The system does not permit it.
  case noPermission = 77
  /// The settings are understood and refused.
  case configuration = 78
}

/// The end of a command before its time: one line for people and an exit status.
struct CommandError: Error, CustomStringConvertible, Equatable {
  /// What the process ends with.
  let status: ExitStatus
  /// One line, without the program's name in front.
  let description: String

  /// An end with a line that is ready to be shown.
  init(_ status: ExitStatus, _ description: String) {
    self.status = status
    self.description = description
  }

  /// A socket or file that the system refused while the proxy was starting.
  init(starting error: EventIOError) {
    let isForbidden = error.errorNumber == EACCES || error.errorNumber == EPERM
    let advice = CommandError.advice(for: error.errorNumber).map { "; \($0)" } ?? ""
    self.init(isForbidden ? .noPermission : .cannotCreate, printable("\(error)") + advice)
  }

  /// A file that TLS needs and cannot use.
  init(reading error: TLSError) {
    let isForbidden = error.reason == .unreadable(EACCES) || error.reason == .unreadable(EPERM)
    self.init(isForbidden ? .noPermission : .configuration, printable("\(error)"))
  }

  /// What to do about an error number of the system's; nil when only the reader can know.
  private static func advice(for errorNumber: Int32) -> String? {
    switch errorNumber {
    case EADDRINUSE: "stop what uses it, or choose another"
    case EADDRNOTAVAIL: "no interface of this host has that address; choose one that has"
    case EACCES, EPERM: "a port below 1024 or a folder of somebody else's needs more rights; choose another"
    case EEXIST: "the file there is no socket; remove it, or choose another path"
    case ENOENT: "make its folder first, or choose another path"
    case ENOTDIR: "what should be its folder is none; choose another path"
    case ENAMETOOLONG: "a socket's path has 107 bytes at most; choose a shorter one"
    case EINVAL: "a link-local address needs its zone, as in [fe80::1%eth0]"
    case EAFNOSUPPORT: "this host has no such address family; choose another address"
    case EMFILE, ENFILE: "allow more open files (ulimit -n)"
    case EROFS: "the file system is read-only; choose another path"
    default: nil
    }
  }
}

/// `text` with everything that could move a terminal's cursor written as `\xNN`, and each backslash doubled,
/// so that nothing else reads like that.
func printable(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    if scalar == "\\" {
      result += "\\\\"
    } else if scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) || scalar.properties.isBidiControl
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

/// Prints a line of a command's answer.
func printLine(_ text: String) throws(CommandError) {
  if !writeLine(text, to: STDOUT_FILENO) {
    let error = EventIOError(operation: "write to", errorNumber: errno, address: "standard output")
    throw CommandError(.cannotWrite, "\(error)")
  }
}

/// Writes a line to a descriptor in one go, so that lines of several processes do not mix; false when it
/// is not taken.
@discardableResult
func writeLine(_ text: String, to descriptor: Int32) -> Bool {
  let bytes = Array((text + "\n").utf8)
  var written = 0
  while written < bytes.count {
    let count = unsafe bytes.withUnsafeBytes { bytes in
      unsafe write(descriptor, bytes.baseAddress?.advanced(by: written), bytes.count - written)
    }
    if count < 0 && errno == EINTR { continue }
    if count <= 0 { return false }
    written += count
  }
  return true
}
