import Glibc
import PagedStorage
import SIPSyntax
import Testing

@testable import EventIO
@testable import ProxyCore

@Suite("What workers leave for each other")
struct MailboxTests {
  private let flow = Flow(listener: 0, remote: loopback4, local: loopback4.ip)

  /// How often the reader was woken since the last call.
  private func wakeCount(_ mailbox: Mailbox) -> UInt64 {
    var count: UInt64 = 0
    return unsafe read(mailbox.descriptor, &count, 8) == 8 ? count : 0
  }

  private func post(_ text: String, to mailbox: Mailbox) -> Mailbox.Posting {
    mailbox.post(Array(text.utf8).span) { .message($0, flow) }
  }

  @Test("Letters come in their order, with their octets, and only for the first the reader is woken")
  func order() throws {
    let mailbox = try Mailbox()
    #expect(wakeCount(mailbox) == 0)
    #expect(post("one", to: mailbox) == .first && post("two", to: mailbox) == .behindOthers)
    mailbox.post(.closed(ConnectionID(slot: 7, generation: 1)))
    var mail = Mail()
    mailbox.exchange(for: &mail)
    var found: [String] = []
    while let letter = mail.next() {
      switch letter {
      case .message(let range, _):
        let octets = mail.octets.bytes[range.lowerBound..<range.upperBound]
        found.append(String(decoding: octets, as: UTF8.self))
      case .closed(let connection): found.append("\(connection.slot)")
      default: break
      }
    }
    #expect(found == ["one", "two", "7"] && mail.isRead && wakeCount(mailbox) == 0)
    mail.removeAll()
    mailbox.post(.closed(ConnectionID(slot: 7, generation: 1)))
    mailbox.post(.closed(ConnectionID(slot: 8, generation: 1)))
    #expect(wakeCount(mailbox) == 1 && post("three", to: mailbox) == .behindOthers)
  }

  @Test("Each worker that must be woken is named once")
  func sleepers() {
    var sleepers = Sleepers()
    #expect(
      sleepers.note(.first, at: 63) && sleepers.note(.first, at: 0) && sleepers.note(.behindOthers, at: 5))
    #expect(sleepers.note(.first, at: 0) && !sleepers.note(.refused, at: 7))
    #expect(sleepers.next() == 0 && sleepers.next() == 63 && sleepers.next() == nil)
  }

  @Test("A loop hears of each writing, though nobody reads the descriptor")
  func wakes() throws {
    let mailbox = try Mailbox()
    let loop = try EventLoop()
    var heard = 0
    let event = try loop.whenWritten(mailbox.descriptor) { heard += 1 }
    for expected in 1...3 {
      mailbox.wake()
      loop.turn(waiting: false)
      loop.turn(waiting: false)
      #expect(heard == expected)
    }
    withExtendedLifetime(event) {}
  }

  @Test("Messages are bounded in number and in octets; what must not be lost is not")
  func bounds() throws {
    let mailbox = try Mailbox()
    for _ in 0..<Mailbox.capacity { #expect(post("x", to: mailbox) != .refused) }
    #expect(post("x", to: mailbox) == .refused)
    mailbox.post(.task { _ in })
    var mail = Mail()
    mailbox.exchange(for: &mail)
    #expect(mail.letters.count == Mailbox.capacity + 1)
    mail.removeAll()
    #expect(mail.letters.capacity == 0)
    let large = String(repeating: "x", count: 60_000)
    var taken = 0
    while post(large, to: mailbox) != .refused { taken += 1 }
    #expect(taken == Mailbox.octetCapacity / 60_000)
  }

  /// G10: connections that come and go must not cost anybody a message.
  @Test("What is said about connections takes none of the room of messages")
  func connectionsTakeNoRoom() throws {
    let mailbox = try Mailbox()
    for number in 0..<UInt32(Mailbox.capacity) {
      mailbox.post(.closed(ConnectionID(slot: number, generation: 1)))
    }
    var isRefused = false
    if case .refused = mailbox.post(Array("message".utf8).span, { .quotation($0) }) { isRefused = true }
    #expect(!isRefused)
  }

  @Test("A call belongs to one worker, whoever asks; calls are dealt out evenly")
  func owners() throws {
    let mailboxes = try (0..<4).map { _ in try Mailbox() }
    let stations = mailboxes.indices.map { Station($0, among: mailboxes, key: HashKey(1, 2)) }
    var held = [0, 0, 0, 0]
    for number in 0..<400 {
      let request = Array(streamRequest(to: "sip:b@example.com", number: number).utf8)
      let answer = Array(streamResponse(200, to: String(decoding: request, as: UTF8.self)).utf8)
      let owners = Set(stations.flatMap { [$0.owner(of: request.span), $0.owner(of: answer.span)] })
      #expect(owners.count == 1)
      held[owners.first ?? 0] += 1
    }
    #expect(held.allSatisfy { (60...140).contains($0) }, "\(held)")
    for station in stations {
      let stun: [UInt8] = [0, 1, 0, 0] + Array("\r\nCall-ID: a\r\n".utf8)
      for bytes in [stun, [], [13, 10, 13, 10], Array("INVITE sip:b SIP/2.0\r\n\r\n".utf8)] {
        #expect(station.owner(of: bytes.span) == station.index)
      }
      for place in [0, 1, 9_999] {
        let name = station.connection(at: place, generation: 3)
        #expect(station.otherOwner(of: name) == nil)
        #expect(
          stations.filter { $0.index != station.index }.allSatisfy {
            $0.otherOwner(of: name) == station.index
          })
      }
      #expect(station.otherOwner(of: .none) == nil)
    }
  }
}
