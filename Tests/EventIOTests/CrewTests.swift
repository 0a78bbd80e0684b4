import Foundation
import PagedStorage
import SIPSyntax
import Testing
import Timekeeping

@testable import EventIO
@testable import ProxyCore

@Suite("Several workers", .serialized)
struct CrewTests {
  @Test("The calls of two phones are spread over all, over UDP")
  func datagrams() throws {
    let bench = try CrewBench()
    let (phone, callee) = (try Phone(), try Phone())
    for number in 0..<60 {
      phone.send(datagramRequest(from: phone, to: callee, number: number), to: bench.datagramAddress)
    }
    let requests = bench.datagrams(60, at: callee)
    #expect(requests.count == 60)
    for request in requests { callee.send(streamResponse(200, to: request), to: bench.datagramAddress) }
    let answers = bench.datagrams(60, at: phone)
    #expect(answers.count == 60 && answers.allSatisfy { $0.hasPrefix("SIP/2.0 200 ") })
    #expect(bench.crew.counters.allSatisfy { $0[.requestsForwarded] > 5 })
    // Two sources arrive at two workers at most; of three the others' calls are given away.
    #expect(bench.sum(.messagesHandedOver) > 40 && bench.sum(.droppedHandOver) == 0)
  }

  @Test("Requests of one dialog keep their order")
  func order() throws {
    let bench = try CrewBench()
    let (phone, callee) = (try Phone(), try Phone())
    for cSeq in 1...30 {
      for number in 0..<4 {
        phone.send(
          datagramRequest(from: phone, to: callee, number: number, cSeq: cSeq), to: bench.datagramAddress)
      }
    }
    let arrived = bench.datagrams(120, at: callee)
    for number in 0..<4 {
      let dialog = arrived.filter { $0.contains("Call-ID: call\(number)\r\n") }
      #expect(dialog.count == 30)
      #expect(dialog.indices.allSatisfy { dialog[$0].contains("\r\nCSeq: \($0 + 1) MESSAGE") })
    }
    for request in arrived { callee.send(streamResponse(200, to: request), to: bench.datagramAddress) }
    #expect(bench.datagrams(120, at: phone).count == 120)
  }

  /// D72: whoever has the call, the answer leaves by the connection of its request.
  @Test("The calls of one connection are spread over all, and answered on it")
  func streams() throws {
    let bench = try CrewBench()
    let client = StreamPeer(connectingTo: bench.address)
    let listener = StreamListener()
    var servers: [StreamPeer] = []
    for number in 0..<30 {
      client.send(streamRequest(to: "sip:b@\(listener.address);transport=tcp", number: number).utf8)
    }
    var answered = 0
    #expect(
      bench.turn {
        while let server = listener.accept() { servers.append(server) }
        let requests = servers.flatMap(\.messages)
        if requests.count == 30, answered == 0 {
          for server in servers {
            for request in server.messages { server.send(streamResponse(200, to: request).utf8) }
          }
          answered = 30
        }
        return client.messages.count == 30
      })
    #expect(client.messages.allSatisfy { $0.hasPrefix("SIP/2.0 200 ") })
    // Each worker opens one connection to a place.
    #expect(servers.count == 3 && bench.sum(.connectionsAccepted) == 1)
    #expect(bench.sum(.messagesHandedOver) > 10)
    client.close()
    #expect(bench.turn { bench.sum(.connectionsClosedByPeer) == 1 })
    #expect(servers.allSatisfy { !$0.hasEnded })
  }

  @Test("What cannot be framed is answered by the worker whose connection it is")  // D31
  func lostFraming() throws {
    let bench = try CrewBench()
    for number in 0..<12 {
      let client = StreamPeer(connectingTo: bench.address)
      client.send(streamRequest(to: "sip:b@127.0.0.1", number: number, length: "Subject: x").utf8)
      #expect(bench.turn { client.hasEnded })
      #expect(client.messages.map { $0.prefix(12) } == ["SIP/2.0 400 "])
    }
  }

  @Test("An ICMP error finds its request, whichever worker hears of it")  // D24
  func unreachable() throws {
    let bench = try CrewBench()
    let phone = try Phone()
    let nobody: SocketAddress
    do { nobody = try Phone().address }
    let place = "sip:b@\(nobody)"
    for number in 0..<12 {
      let request = streamRequest(to: place, number: number)
        .replacing("SIP/2.0/TCP 127.0.0.1:5060", with: "SIP/2.0/UDP \(phone.address)")
      phone.send(request, to: bench.datagramAddress)
      #expect(bench.datagrams(1, at: phone).first?.hasPrefix("SIP/2.0 500 ") == true)
    }
    #expect(bench.sum(.branchesUnreachable) == 12)
  }

  @Test("Without a Call-ID a message is served where it came")
  func withoutCallID() throws {
    let bench = try CrewBench()
    let phone = try Phone()
    let request = datagramRequest(from: phone, to: phone, number: 0).replacing("Call-ID: call0\r\n", with: "")
    phone.send(request, to: bench.datagramAddress)
    #expect(bench.datagrams(1, at: phone).first?.hasPrefix("SIP/2.0 400 ") == true)
    #expect(bench.sum(.messagesHandedOver) == 0)
  }

  @Test("A request that another worker sent is failed where it belongs when its connection ends")  // B93
  func ticketsReturn() throws {
    let bench = try CrewBench(2)
    let client = StreamPeer(connectingTo: bench.address)
    #expect(bench.turn { bench.sum(.connectionsAccepted) == 1 })
    let owner = try #require(bench.crew.workers.firstIndex { $0.connections.count == 1 })
    let other = try #require(bench.crew.workers[1 - owner].station)
    var flow: Flow?
    bench.crew.workers[owner].connections.whenReadable = { flow = $0.flow }
    client.send([13])
    #expect(bench.turn { flow != nil })
    let connection = try #require(flow)
    #expect(other.otherOwner(of: connection.connection) == owner)
    let text = Array(streamRequest(to: "sip:b@127.0.0.1").utf8)
    let send = Send(
      bytes: ByteRange(0, text.count), flow: connection, ticket: SendTicket(branch: .none))
    var sleepers = Sleepers()
    #expect(other.handsOver(send, of: text, to: owner, waking: &sleepers))
    #expect(sleepers.next() == owner && sleepers.next() == nil)
    other.mailbox(of: owner).wake()
    #expect(bench.turn { client.messages.count == 1 })
    client.close()
    var mail = Mail()
    // Only the owner's loop turns, so that the letters wait.
    for _ in 0..<100 where mail.letters.isEmpty {
      bench.crew.workers[owner].loop.turn(waiting: false)
      other.mailbox.exchange(for: &mail)
    }
    var failures: [RefusedSend] = []
    while let letter = mail.next() {
      if case .failed(let refusal) = letter { failures.append(refusal) }
    }
    #expect(failures.count == 1 && failures.first?.ticket.origin == 0 && failures.first?.isLocal == false)
  }

  @Test("Draining ends when no worker has an open transaction, and then all connections are parted")  // B14
  func drains() throws {
    let bench = try CrewBench()
    let clients = (0..<4).map { _ in StreamPeer(connectingTo: bench.address) }
    let callee = try Phone()
    for (number, client) in clients.enumerated() {
      client.send(streamRequest(to: "sip:b@\(callee.address)", number: number).utf8)
    }
    let requests = bench.datagrams(4, at: callee)
    var isDone = false
    bench.crew.drain { isDone = true }
    #expect(bench.turn { bench.crew.workers.allSatisfy(\.isDraining) } && !isDone)
    for request in requests { callee.send(streamResponse(200, to: request), to: bench.datagramAddress) }
    #expect(bench.turn { isDone })
    for client in clients {
      #expect(client.messages.map { $0.prefix(12) } == ["SIP/2.0 200 "] && client.hasEnded)
    }
  }

  @Test("A walk over all dialogs shows each once, and each can be asked for by its id and its Call-ID")
  func queries() throws {
    let bench = try CrewBench()
    let (phone, callee) = (try Phone(), try Phone())
    for number in 0..<12 {
      phone.send(
        datagramRequest("INVITE", from: phone, to: callee, number: number), to: bench.datagramAddress)
    }
    for invite in bench.datagrams(12, at: callee) {
      let rows = "\r\nContact: <sip:b@\(callee.address)>\r\nContent-Length"
      callee.send(
        streamResponse(200, to: invite).replacing("\r\nContent-Length", with: rows), to: bench.datagramAddress
      )
    }
    #expect(bench.datagrams(12, at: phone) { $0.hasPrefix("SIP/2.0 200 ") }.count == 12)
    #expect(bench.ask("/dialogs/count")?.body.hasPrefix("{\"active\":12,") == true)
    var (cursor, identifiers, calls) = ("", [String](), [String]())
    for _ in 0..<6 {
      let page = try #require(bench.ask("/dialogs?limit=5\(cursor)"))
      let parsed = try #require(
        JSONSerialization.jsonObject(with: Data(page.body.utf8)) as? [String: Any])
      for dialog in parsed["dialogs"] as? [[String: Any]] ?? [] {
        identifiers.append(dialog["id"] as? String ?? "")
        calls.append(dialog["call_id"] as? String ?? "")
      }
      guard let next = parsed["cursor"] as? String else { break }
      cursor = "&cursor=\(next)"
    }
    #expect(Set(calls) == Set((0..<12).map { "call\($0)" }) && calls.count == 12)
    #expect(Set(identifiers.compactMap { UInt64($0) }.map { ($0 >> 32) % 3 }) == [0, 1, 2])
    for (identifier, call) in zip(identifiers, calls) {
      #expect(bench.ask("/dialogs/\(identifier)")?.body.contains("\"call_id\":\"\(call)\"") == true)
      #expect(bench.ask("/why?call-id=\(call)")?.body.contains("\"dialog\":\"\(identifier)\"") == true)
    }
    #expect(bench.ask("/dialogs?cursor=99999999999999")?.status == 400)
    #expect(bench.ask("/dialogs?limit=0")?.status == 400)
    #expect(bench.ask("/dialogs/4294967295")?.status == 404)
  }

  @Test("On threads of their own they do the same, and end when told")
  func threads() throws {
    let bench = try CrewBench()
    let (phone, callee) = (try Phone(), try Phone())
    try bench.crew.start()
    for number in 0..<30 {
      phone.send(datagramRequest(from: phone, to: callee, number: number), to: bench.datagramAddress)
    }
    let requests = bench.datagrams(30, at: callee, firstOnly: true)
    #expect(requests.count == 30)
    for request in requests { callee.send(streamResponse(200, to: request), to: bench.datagramAddress) }
    #expect(bench.datagrams(30, at: phone, firstOnly: true).count == 30)
    var isDone = false
    bench.crew.drain { isDone = true }
    #expect(bench.turn(firstOnly: true) { isDone })
    bench.crew.end()
    #expect(bench.crew.failure == nil)
  }
}
