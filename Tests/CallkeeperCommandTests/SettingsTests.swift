import ArgumentParser
import Testing

@testable import CallkeeperCommand

private func settings(
  _ given: [String: [String]] = [:], environment: [String: String] = [:], file: String? = nil
) throws(CommandError) -> Settings {
  var given = given
  if file != nil { given["config"] = ["f.conf"] }
  return try Settings(
    given: given, environment: { environment[$0] }, readFile: { _ in file.map { Array($0.utf8) } })
}

@Suite("Where settings come from")
struct SettingsTests {
  @Test("A flag wins over the environment, the environment over the file, the file over the default")
  func precedence() throws {
    #expect(try settings()[Flags.minSE]?.value == "90")
    #expect(try settings(file: "min-se = 100")[Flags.minSE]?.value == "100")
    let environment = ["CALLKEEPER_MIN_SE": "110"]
    #expect(try settings(environment: environment, file: "min-se = 100")[Flags.minSE]?.value == "110")
    let all = try settings(["min-se": ["120"]], environment: environment, file: "min-se = 100")
    #expect(all[Flags.minSE]?.value == "120")
  }

  @Test("A layer that has a repeatable setting replaces the layers below it whole")
  func repeatable() throws {
    let file = "allow = 192.0.2.0/24\nallow=2001:db8::/32 # documentation\n"
    #expect(try settings(file: file).all(Flags.allow).map(\.value) == ["192.0.2.0/24", "2001:db8::/32"])
    let environment = ["CALLKEEPER_ALLOW": "192.0.2.1, 192.0.2.2"]
    #expect(
      try settings(environment: environment, file: file).all(Flags.allow).map(\.value) == [
        "192.0.2.1", "192.0.2.2",
      ])
    #expect(try settings().all(Flags.allow).count == 8)
  }

  @Test("The file may be named by the environment")
  func configByEnvironment() throws {
    let found = try Settings(
      given: [:], environment: { $0 == "CALLKEEPER_CONFIG" ? "x" : nil },
      readFile: { $0 == "x" ? Array("t1 = 100".utf8) : nil })
    #expect(found[Flags.t1]?.value == "100")
  }

  @Test("A variable of separators only is refused, not read as an empty list", arguments: [",", " , ", "  "])
  func onlySeparators(_ text: String) {
    let error = #expect(throws: CommandError.self) {
      _ = try settings(environment: ["CALLKEEPER_ALLOW": text])
    }
    #expect(error?.status == .configuration)
    #expect(error?.description.hasPrefix("--allow \(text) (from CALLKEEPER_ALLOW): must be ") == true)
  }

  @Test("A number below zero is told the legal range", arguments: ["--max-dialogs", "--min-se", "--t1"])
  func negative(_ flag: String) throws {
    let options = try RunOptions.parse([flag, "-1"])
    #expect(options.given[String(flag.dropFirst(2))] == ["-1"])
  }

  static let files: [(text: String, line: String)] = [
    ("min-se = 90\nmin-see = 90", "f.conf line 2: min-see: no such setting; did you mean min-se?"),
    ("\n\nzzzzzzzzzz = 1", "f.conf line 3: zzzzzzzzzz: no such setting"),
    ("min-se", "f.conf line 1: min-se: must be name = value"),
    ("config = other", "f.conf line 1: config: no such setting"),
    ("t1 =", "--t1  (from f.conf line 1): must be 10 to 60000 milliseconds"),
    ("t1 = 1\nt1 = 2", "--t1 2 (from f.conf line 2): stands in the file twice; remove one"),
    ("t1 = \u{1B}[2J\nx", "f.conf line 2: x: must be name = value"),
  ]

  @Test("What is wrong in a file is told with its line", arguments: files)
  func fileErrors(_ row: (text: String, line: String)) {
    let error = #expect(throws: CommandError.self) { _ = try settings(file: row.text) }
    #expect(error == CommandError(.configuration, row.line))
  }

  @Test("Comments, blank lines, carriage returns and blanks around words do not matter")
  func fileForm() throws {
    let found = try settings(file: "# all of it\r\n\r\n  t1=200\t# base\r\n\tnext-hop = sip:a#b \r\n")
    #expect(found[Flags.t1]?.value == "200")
    #expect(found[Flags.nextHop]?.value == "sip:a#b")
  }

  @Test("A file that cannot be read is refused")
  func noFile() {
    let error = #expect(throws: CommandError.self) {
      _ = try Settings(given: ["config": ["none"]], environment: { _ in nil }, readFile: { _ in nil })
    }
    #expect(
      error
        == CommandError(.configuration, "--config none: must be a readable file of lines such as min-se = 90")
    )
  }

  @Test("The listing is itself a file with the same settings")
  func listing() throws {
    let first = try settings(["listen": ["udp:127.0.0.1:5070", "udp:[::1]:5070"], "t1": ["250"]])
    let second = try settings(file: first.listing.joined(separator: "\n"))
    #expect(second.all(Flags.listen).map(\.value) == first.all(Flags.listen).map(\.value))
    #expect(second[Flags.t1]?.value == "250")
  }

  @Test("Every name has a variable of capital letters and underscores")
  func variables() {
    #expect(Flags.minSE.variable == "CALLKEEPER_MIN_SE")
    #expect(Flags.tlsRequireClientCertificate.variable == "CALLKEEPER_TLS_REQUIRE_CLIENT_CERTIFICATE")
    #expect(Set(Flags.all.map(\.name)).count == Flags.all.count)
  }

  static let nearest: [(name: String, found: String?)] = [
    ("min-see", "min-se"), ("minse", "min-se"), ("lissten", "listen"), ("qqqqqqqq", nil),
  ]

  @Test("The nearest name is offered when one is near", arguments: nearest)
  func suggestion(_ row: (name: String, found: String?)) {
    #expect(nearestName(to: row.name, among: Flags.all.map(\.name)) == row.found)
  }
}
