import Foundation
import Testing

@testable import EventIO

@Suite("The control socket")
struct ControlSocketTests {
  private func mode(of path: String) -> mode_t {
    var status = stat()
    return unsafe lstat(path, &status) == 0 ? status.st_mode & 0o777 : 0
  }

  @Test("A new socket has mode 0660")
  func socketMode() throws {
    let folder = try ScratchFolder()
    let path = folder.path + "/control.sock"
    let socket = try ControlSocket.listen(at: path)
    defer { close(socket) }
    #expect(mode(of: path) == 0o660)
  }

  @Test("A socket nobody answers on is replaced")
  func replacesStale() throws {
    let folder = try ScratchFolder()
    let path = folder.path + "/control.sock"
    close(try ControlSocket.listen(at: path))
    #expect(ControlSocket.isSocket(path))
    close(try ControlSocket.listen(at: path))
  }

  @Test("A socket somebody answers on is left alone")
  func refusesLive() throws {
    let folder = try ScratchFolder()
    let path = folder.path + "/control.sock"
    let first = try ControlSocket.listen(at: path)
    defer { close(first) }
    let error = #expect(throws: EventIOError.self) { _ = try ControlSocket.listen(at: path) }
    #expect(error?.errorNumber == EADDRINUSE)
    #expect(error?.address == path)
    #expect(ControlSocket.isSocket(path))
  }

  @Test("A file that is no socket is left alone")
  func refusesFile() throws {
    let folder = try ScratchFolder()
    let path = folder.path + "/control.sock"
    #expect(FileManager.default.createFile(atPath: path, contents: Data([1])))
    let error = #expect(throws: EventIOError.self) { _ = try ControlSocket.listen(at: path) }
    #expect(error?.errorNumber == EEXIST)
    #expect(FileManager.default.fileExists(atPath: path))
  }

  @Test("A path longer than a socket's name may be is refused")
  func refusesLongPath() {
    let path = "/tmp/" + String(repeating: "x", count: 120)
    let error = #expect(throws: EventIOError.self) { _ = try ControlSocket.listen(at: path) }
    #expect(error?.errorNumber == ENAMETOOLONG)
  }

  @Test("The folders are tried in the order of the contract")
  func order() {
    let all = ["RUNTIME_DIRECTORY": "/run/a:/run/b", "XDG_RUNTIME_DIR": "/run/user/7", "TMPDIR": "/scratch/"]
    #expect(
      ControlSocket.candidates(userID: 7) { all[$0] }.map(\.path) == [
        "/run/a/control.sock", "/run/user/7/callkeeper/control.sock", "/run/callkeeper/control.sock",
        "/scratch/callkeeper-7/control.sock",
      ])
    #expect(
      ControlSocket.candidates(userID: 7) { _ in nil }.map(\.folder) == [
        "/run/callkeeper", "/tmp/callkeeper-7",
      ])
  }

  @Test("The folder in the temporary folder is made for this user alone, and a query finds the socket there")
  func temporaryFolder() throws {
    let folder = try ScratchFolder()
    let candidates = ControlSocket.candidates { $0 == "TMPDIR" ? folder.path : nil }
      .filter { $0.folder.hasPrefix(folder.path) }
    let path = try ControlSocket.pathForServer(among: candidates)
    #expect(path == folder.path + "/callkeeper-\(getuid())/control.sock")
    #expect(mode(of: folder.path + "/callkeeper-\(getuid())") == 0o700)
    let socket = try ControlSocket.listen(at: path)
    defer { close(socket) }
    #expect(ControlSocket.pathForQuery(among: candidates) == path)
  }

  @Test("A folder there that others can enter is not used")
  func foreignTemporaryFolder() throws {
    let folder = try ScratchFolder()
    let name = folder.path + "/callkeeper-\(getuid())"
    #expect(unsafe mkdir(name, 0o777) == 0 && chmod(name, 0o777) == 0)
    let candidates = ControlSocket.candidates { $0 == "TMPDIR" ? folder.path : nil }
      .filter { $0.folder.hasPrefix(folder.path) }
    let error = #expect(throws: EventIOError.self) {
      _ = try ControlSocket.pathForServer(among: candidates)
    }
    #expect(error?.errorNumber == EACCES)
  }

  @Test("A folder named by the service's environment comes first when it can be written")
  func runtimeDirectory() throws {
    let folder = try ScratchFolder()
    let candidates = ControlSocket.candidates { $0 == "RUNTIME_DIRECTORY" ? folder.path : nil }
    #expect(try ControlSocket.pathForServer(among: candidates) == folder.path + "/control.sock")
  }

  @Test("Nobody behind the path is an error, not a wait")
  func notRunning() throws {
    let folder = try ScratchFolder()
    let error = #expect(throws: EventIOError.self) {
      _ = try ControlSocket.get("/healthz", from: folder.path + "/control.sock")
    }
    #expect(error?.errorNumber == ENOENT)
  }

  static let answers: [(text: String, status: Int?, body: String)] = [
    ("HTTP/1.0 200 OK\r\nA: b\r\n\r\n7\n", 200, "7\n"), ("HTTP/1.1 503 No\r\n\r\n", 503, ""),
    ("HTTP/1.1 200 OK\r\n", nil, ""), ("HTTP/2 200 OK\r\n\r\n", nil, ""), ("", nil, ""),
    ("HTTP/1.1 xxx\r\n\r\n", nil, ""),
  ]

  @Test("Answers are taken apart", arguments: answers)
  func parses(_ row: (text: String, status: Int?, body: String)) {
    let answer = HTTPAnswer(Array(row.text.utf8))
    #expect(answer?.status == row.status)
    #expect(answer.map { String(decoding: $0.body, as: UTF8.self) } ?? "" == row.body)
  }
}
