import ArgumentParser
import EventIO
import Glibc
import SIPSyntax
import Testing

@testable import CallkeeperCommand

@Suite("What check finds before run does", .serialized)
struct CheckTests {
  private func settings(_ arguments: [String], noting mistakes: inout Mistakes) throws -> Settings {
    Settings(
      given: try RunOptions.parse(arguments).given, environment: { _ in nil },
      readFile: { $0 == "f.conf" ? Array("t1 = 1\nnonsense\nmin-see = 9\nudp-mtu = 1".utf8) : nil },
      noting: &mistakes)
  }

  /// What check would say about a start with these flags.
  private func rehearse(_ arguments: [String]) throws -> (plan: [String], mistakes: [CommandError]) {
    var mistakes = Mistakes()
    let run = RunConfiguration(try settings(arguments, noting: &mistakes), noting: &mistakes)
    let preparation = Preparation(run, noting: &mistakes)
    return (CheckCommand.rehearse(run, preparation, noting: &mistakes).plan, mistakes.found)
  }

  @Test("Every mistake is found, in the file, on the command line and in what it leads to")
  func all() throws {
    var mistakes = Mistakes()
    let found = try settings(["--config", "f.conf", "--min-se", "1", "--workers", "65"], noting: &mistakes)
    _ = RunConfiguration(found, noting: &mistakes)
    let lines = mistakes.found.map(\.description)
    #expect(lines.count == 6, "\(lines)")
    for word in ["nonsense", "min-see", "--t1 1", "--udp-mtu 1", "--min-se 1", "--workers 65"] {
      #expect(lines.contains { $0.contains(word) }, "\(word)")
    }
    #expect(mistakes.found.allSatisfy { $0.status == .configuration })
  }

  @Test("An address named twice is in its own way, whatever else is wrong")
  func twice() throws {
    let free = try UDPTransport.probe(SocketAddress(ip: IPAddress(v4: 0x7F00_0001), port: 0))
    let (plan, mistakes) = try rehearse([
      "--listen", "udp:\(free)", "--listen", "udp:\(free)", "--control", "/nowhere/at/all.sock", "--http",
      "0.0.0.0:0",
    ])
    #expect(plan == ["listen on udp:\(free)", "listen on tcp:\(free)"])
    #expect(mistakes.map(\.status) == [.configuration, .cannotCreate, .cannotCreate, .cannotCreate])
    #expect(mistakes[0].description.contains("--http-public"))
    #expect(mistakes[1].description.contains("udp:\(free): Address already in use"))
    #expect(mistakes[2].description.contains("tcp:\(free): Address already in use"))
    #expect(
      mistakes[3].description.hasSuffix(
        "No such file or directory; make its folder first, or choose another path"))
  }

  @Test("A file in the place of the control socket is told, and left alone")
  func noSocket() throws {
    let path = "/tmp/callkeeper-check-\(getpid())"
    close(unsafe open(path, O_CREAT | O_WRONLY, 0o600))
    defer { unsafe unlink(path) }
    let (plan, mistakes) = try rehearse(["--listen", "udp:127.0.0.1:0", "--control", path])
    #expect(plan.count == 2)
    #expect(mistakes.first?.status == .cannotCreate)
    #expect(
      mistakes.first?.description
        == "cannot listen on \(path): File exists; the file there is no socket; remove it, or choose another path"
    )
    let isThere = unsafe access(path, F_OK) == 0
    #expect(isThere)
  }

  @Test("The control socket is named also when no flag names it, and nothing is left behind")
  func names() throws {
    let path = "/tmp/callkeeper-check-\(getpid()).sock"
    let (plan, mistakes) = try rehearse([
      "--listen", "udp:127.0.0.1:0", "--control", path, "--http", "127.0.0.1:0",
    ])
    #expect(mistakes.isEmpty)
    #expect(plan.contains("answer queries on \(path)") && plan.contains("answer queries on http:127.0.0.1:0"))
    let isThere = unsafe access(path, F_OK) == 0
    #expect(!isThere)
  }

  @Test("A UDP listener's TCP twin has the port that UDP got (D1)")
  func twin() throws {
    let (plan, mistakes) = try rehearse(["--listen", "udp:127.0.0.1:0", "--listen", "udp:[::1]:0"])
    #expect(mistakes.isEmpty)
    let listeners = plan.filter { $0.hasPrefix("listen on ") }.map { $0.dropFirst("listen on ".count) }
    #expect(listeners.count == 4)
    for index in [0, 2] where listeners.count == 4 {
      #expect(listeners[index].hasPrefix("udp:") && !listeners[index].hasSuffix(":0"))
      #expect(listeners[index + 1] == "tcp" + listeners[index].dropFirst(3))
    }
  }

  /// D1: what stands before it is then another's, or nothing at all.
  @Test("A TCP twin of a UDP listener that cannot be opened is left out, whatever stands before it")
  func orphan() throws {
    for before in [[], ["--listen", "tcp:127.0.0.1:0"], ["--listen", "udp:127.0.0.1:0"]] {
      let (plan, mistakes) = try rehearse(
        before + [
          "--listen", "udp:192.0.2.99:0", "--control", "/tmp/callkeeper-check-\(getpid())-orphan.sock",
        ])
      #expect(mistakes.map(\.status) == [.cannotCreate])
      #expect(mistakes.first?.description.contains("udp:192.0.2.99:0") == true)
      #expect(!plan.contains { $0.contains("192.0.2.99") }, "\(plan)")
    }
  }

  @Test("TLS files that cannot be used are told, beside everything else")
  func tlsFiles() throws {
    let (plan, mistakes) = try rehearse([
      "--listen", "tls:127.0.0.1:0", "--tls-certificate", "/nowhere/cert.pem", "--control",
      "/tmp/callkeeper-check-\(getpid())-tls.sock",
    ])
    #expect(plan.count == 1 && plan.first?.hasPrefix("answer queries on ") == true)
    #expect(mistakes.map(\.status) == [.configuration])
    #expect(
      mistakes.first?.description == "TLS certificate /nowhere/cert.pem: No such file or directory")
  }

  static let advice: [(number: Int32, status: CallkeeperCommand.ExitStatus, words: String)] = [
    (EADDRINUSE, .cannotCreate, "stop what uses it"), (EACCES, .noPermission, "rights"),
    (EADDRNOTAVAIL, .cannotCreate, "no interface"), (ENOENT, .cannotCreate, "folder first"),
    (EINVAL, .cannotCreate, "zone"), (EMFILE, .cannotCreate, "ulimit"),
  ]

  @Test("What to do about it depends on what the system said", arguments: advice)
  func advises(_ row: (number: Int32, status: CallkeeperCommand.ExitStatus, words: String)) {
    let error = CommandError(starting: EventIOError(operation: "bind", errorNumber: row.number, address: "x"))
    #expect(error.status == row.status && error.description.contains(row.words))
  }
}
