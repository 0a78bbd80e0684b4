import AdminHTTP
import Foundation
import ProxyCore
import Testing

@testable import EventIO

@Suite("The query API's connections", .serialized)
struct AdminServerTests {
  private final class Bench {
    let folder: ScratchFolder
    let loop: EventLoop
    let counters = Counters()
    let server: AdminServer
    var path: String { folder.path + "/control.sock" }

    /// A server that answers everything with so many bytes.
    init(bytes: Int = 5) throws {
      folder = try ScratchFolder()
      loop = try EventLoop()
      server = AdminServer(loop: loop, counting: counters) { _ in
        AdminResponse(status: 200, contentType: "text/plain", body: [UInt8](repeating: 0x61, count: bytes))
      }
      try server.listen(atPath: path)
    }

    /// A client that has connected and said `text`.
    func client(_ text: String = "") throws -> Int32 {
      let socket = try EventIOError.check(connectedSocket(path), "connect to", path)
      if !text.isEmpty { #expect(unsafe send(socket, text, text.utf8.count, Int32(MSG_NOSIGNAL)) > 0) }
      return socket
    }

    /// Everything the server sends until it closes its side, while the loop turns.
    func answer(to socket: Int32) -> String? {
      var text: [UInt8] = []
      var chunk = [UInt8](repeating: 0, count: 65_536)
      let isEnded = loop.turn {
        let count = unsafe recv(socket, &chunk, chunk.count, Int32(MSG_DONTWAIT))
        if count > 0 { text += chunk[..<count] }
        return count == 0
      }
      return isEnded ? String(decoding: text, as: UTF8.self) : nil
    }
  }

  @Test("An answer may come later; to a client that is gone by then, or twice, it does no harm")
  func answersLater() throws {
    let bench = try Bench()
    var waiting: [(AdminResponse) -> Void] = []
    let server = AdminServer(loop: bench.loop, counting: bench.counters) { _, deliver in
      waiting.append(deliver)
    }
    let path = bench.folder.path + "/later.sock"
    try server.listen(atPath: path)
    let request = "GET / HTTP/1.1\r\n\r\n"
    let clients = try (0..<2).map { _ in
      let socket = try EventIOError.check(connectedSocket(path), "connect to", path)
      #expect(unsafe send(socket, request, request.utf8.count, 0) == request.utf8.count)
      return socket
    }
    #expect(bench.loop.turn { waiting.count == 2 })
    close(clients[1])
    // Half a close is not the end.
    shutdown(clients[0], Int32(SHUT_WR))
    let response = AdminResponse(status: 200, contentType: "text/plain", body: [0x61])
    for deliver in waiting + waiting { deliver(response) }
    #expect(bench.answer(to: clients[0])?.hasSuffix("\r\n\r\na") == true)
    close(clients[0])
    #expect(bench.loop.turn { server.connectionCount == 0 })
    for deliver in waiting { deliver(response) }
  }

  @Test("A request in pieces is answered once, whole, and the connection ends", arguments: [5, 3_000_000])
  func answers(_ length: Int) throws {
    let bench = try Bench(bytes: length)
    let client = try bench.client("GET / HT")
    #expect(bench.loop.turn { bench.server.connectionCount == 1 })
    let rest = "TP/1.1\r\n\r\n"
    #expect(unsafe send(client, rest, rest.utf8.count, 0) == rest.utf8.count)
    let answer = try #require(bench.answer(to: client))
    #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(answer.hasSuffix("\r\n\r\n" + String(repeating: "a", count: length)))
    close(client)
    #expect(bench.loop.turn { bench.server.connectionCount == 0 })
    #expect(bench.counters[.queryConnectionsCut] == 0)
  }

  @Test("HEAD gets no body")
  func head() throws {
    let bench = try Bench()
    let client = try bench.client("HEAD / HTTP/1.1\r\n\r\n")
    defer { close(client) }
    let answer = try #require(bench.answer(to: client))
    #expect(answer.contains("\r\nContent-Length: 5\r\n") && answer.hasSuffix("\r\n\r\n"))
  }

  @Test("Silent connections are held in a bounded number, and a newcomer is served at once")
  func crowd() throws {
    let bench = try Bench()
    var idle: [Int32] = []
    defer { for socket in idle { close(socket) } }
    for _ in 0..<AdminServer.mostConnections + 10 {
      idle.append(try bench.client())
      bench.loop.turn(waiting: false)
    }
    #expect(bench.loop.turn { bench.counters[.queryConnectionsCut] == 10 })
    #expect(bench.server.connectionCount == AdminServer.mostConnections)
    let client = try bench.client("GET / HTTP/1.0\r\n\r\n")
    defer { close(client) }
    #expect(bench.answer(to: client)?.hasSuffix("aaaaa") == true)
    #expect(bench.counters[.queryConnectionsCut] == 11)
  }

  @Test("A client that goes away without a word is forgotten")
  func goesAway() throws {
    let bench = try Bench()
    let client = try bench.client("GET /")
    #expect(bench.loop.turn { bench.server.connectionCount == 1 })
    close(client)
    #expect(bench.loop.turn { bench.server.connectionCount == 0 })
  }
}
