import AdminHTTP
import Foundation
import PagedStorage
import SIPSyntax
import SessionTimers
import Testing
import Timekeeping

@testable import EventIO
@testable import ProxyCore

/// A worker on loopback sockets, with the query API on a Unix socket.
private final class Bench {
  let folder: ScratchFolder
  let loop: EventLoop
  let transports: [UDPTransport]
  let worker: Worker
  let admin: AdminServer
  var path: String { folder.path + "/control.sock" }

  init(_ addresses: [SocketAddress]) throws {
    let folder = try ScratchFolder()
    let loop = try EventLoop()
    let transports = try addresses.map { try UDPTransport(binding: $0) }
    let allowed = ["127.0.0.0/8", "::1"].compactMap { AddressBlock($0) }
    let configuration = ProxyConfiguration(
      listeners: transports.map { Listener(transport: .udp, bound: $0.bound) }, sessionTimers: .standard,
      allowed: allowed)
    let probe = try SourceAddressProbe()
    let environment = ProxyEnvironment(
      processKey: HashKey(1, 2), tokenKey: HashKey(3, 4), pages: OperatingSystem.pages,
      sourceAddress: { probe.source(toward: $0) })
    let worker = try Worker(
      loop: loop, transports: transports.map { .udp($0) }, configuration: configuration,
      environment: environment)
    let admin = AdminServer(loop: loop, counting: worker.counters) { [unowned worker] request in
      worker.respond(
        to: request,
        with: AdminFacts(
          counters: [worker.counters], isDraining: worker.isDraining, version: "1",
          startedAt: worker.startedAt,
          now: MonotonicClock.now, secondsSince1970: 0))
    }
    try admin.listen(atPath: folder.path + "/control.sock")
    (self.folder, self.loop, self.transports, self.worker, self.admin) = (
      folder, loop, transports, worker, admin
    )
  }

  /// Sends one datagram from `phone` and returns the first that comes back, while the loop turns.
  func exchange(_ text: String, from phone: UDPTransport, to listener: Int) -> String? {
    let bytes = Array(text.utf8)
    let send = Send(
      bytes: ByteRange(0, bytes.count),
      flow: Flow(listener: 0, remote: transports[listener].bound, local: phone.bound.ip))
    var refused: [RefusedSend] = []
    phone.send([send][...], of: bytes, counting: Counters(), refused: &refused)
    let batch = DatagramBatch()
    var answer: [UInt8]?
    _ = loop.turn {
      guard batch.receive(from: phone.socket) == 0, batch.count > 0 else { return false }
      batch.withDatagram(0) { datagram in
        answer = datagram.indices.map { datagram[$0] }
      }
      return true
    }
    return answer.map { String(decoding: $0, as: UTF8.self) }
  }

  /// Asks the query API from another thread while the loop turns.
  func ask(_ target: String) -> (status: Int, body: String)? {
    let path = self.path
    let delivery = Delivery<(Int, String)> {
      guard let answer = try? ControlSocket.get(target, from: path) else { return (0, "") }
      return (answer.status, String(decoding: answer.body, as: UTF8.self))
    }
    _ = loop.turn { delivery.received != nil }
    return delivery.received
  }
}

private func options(to bound: SocketAddress, user: String = "", branch: String) -> String {
  """
  OPTIONS sip:\(user)\(bound) SIP/2.0\r
  Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK\(branch);rport\r
  Max-Forwards: 70\r
  From: <sip:ping@192.0.2.9>;tag=1\r
  To: <sip:\(bound)>\r
  Call-ID: \(branch)\r
  CSeq: 1 OPTIONS\r
  Content-Length: 0\r
  \r

  """
}

@Suite("The worker", .serialized)
struct WorkerTests {
  @Test("A ping is answered by the socket it came to (B14)", arguments: [0, 1])
  func answersPing(_ listener: Int) throws {
    let bench = try Bench([loopback4, loopback6])
    let phone = try UDPTransport(binding: listener == 0 ? loopback4 : loopback6)
    let request = options(to: bench.transports[listener].bound, branch: "ping\(listener)")
    let answer = try #require(bench.exchange(request, from: phone, to: listener))
    #expect(answer.hasPrefix("SIP/2.0 200 "))
    #expect(answer.contains("rport=\(phone.bound.port)"))
    #expect(bench.worker.counters[.requestsReceived] == 1)
    #expect(bench.worker.counters[.sendErrors] == 0)
  }

  /// D24, C25: the error queue wakes the loop, and the caller need not wait for Timer F.
  @Test("A request to a port where nobody is gets its answer at once", arguments: [0, 1])
  func unreachable(_ listener: Int) throws {
    let bench = try Bench([loopback4, loopback6])
    let address = listener == 0 ? loopback4 : loopback6
    let phone = try UDPTransport(binding: address)
    let nobody = try UDPTransport(binding: address).bound
    let request = options(to: nobody, user: "bob@", branch: "nobody\(listener)")
    let answer = try #require(bench.exchange(request, from: phone, to: listener))
    #expect(answer.hasPrefix("SIP/2.0 500 "))
    #expect(bench.worker.counters[.branchesUnreachable] == 1)
    #expect(bench.worker.counters[.receiveErrors] == 0)
  }

  @Test("While draining the same ping gets 503, and draining ends at once when nothing is open (B14)")
  func drains() throws {
    let bench = try Bench([loopback4])
    let phone = try UDPTransport(binding: loopback4)
    var isDone = false
    bench.worker.drain { isDone = true }
    #expect(isDone && bench.worker.isDraining)
    let request = options(to: bench.transports[0].bound, branch: "drain")
    let answer = try #require(bench.exchange(request, from: phone, to: 0))
    #expect(answer.hasPrefix("SIP/2.0 503 "))
    #expect(bench.ask("/readyz")?.status == 503)
    #expect(bench.ask("/healthz")?.status == 200)
  }

  @Test("Datagrams that are not SIP are counted and answered by nothing")
  func survivesNoise() throws {
    let bench = try Bench([loopback4])
    let phone = try UDPTransport(binding: loopback4)
    let noise: [[UInt8]] = [[0xFF, 0x00], Array("GET / HTTP/1.0\r\n\r\n".utf8), [], Array("\r\n\r\n".utf8)]
    var refused: [RefusedSend] = []
    for bytes in noise {
      let flow = Flow(listener: 0, remote: bench.transports[0].bound, local: phone.bound.ip)
      phone.send(
        [Send(bytes: ByteRange(0, bytes.count), flow: flow)][...], of: bytes, counting: Counters(),
        refused: &refused)
    }
    let counters = bench.worker.counters
    #expect(bench.loop.turn { counters[.droppedUnrecognisable] + counters[.keepAlivesReceived] >= 3 })
  }

  @Test("The query API answers over the Unix socket")
  func queries() throws {
    let bench = try Bench([loopback4])
    let count = bench.ask("/dialogs/count")
    #expect(count?.body == "{\"active\":0,\"early\":0,\"timed\":0,\"untimed\":0}\n")
    #expect(bench.ask("/nothing")?.status == 404)
    #expect(bench.ask("/why?call-id=%41")?.body == "{\"call_id\":\"A\",\"decisions\":[],\"cursor\":null}\n")
    #expect(bench.ask("/metrics")?.body.contains("\ncallkeeper_dialogs_active 0\n") == true)
  }

  @Test("The query API answers over TCP")
  func queriesOverTCP() throws {
    let bench = try Bench([loopback4])
    let address = try bench.admin.listen(on: loopback4)
    #expect(address.port != 0)
    let error = #expect(throws: EventIOError.self) { _ = try bench.admin.listen(on: address) }
    #expect(error?.errorNumber == EADDRINUSE)
  }

  @Test("The socket's path goes away with the server")
  func removesPath() throws {
    let folder = try ScratchFolder()
    let path = folder.path + "/control.sock"
    do {
      let loop = try EventLoop()
      let admin = AdminServer(loop: loop, counting: Counters()) { _ in
        AdminResponse(status: 200, contentType: "", body: [])
      }
      try admin.listen(atPath: path)
      #expect(ControlSocket.isSocket(path))
    }
    #expect(!ControlSocket.isSocket(path))
  }
}
