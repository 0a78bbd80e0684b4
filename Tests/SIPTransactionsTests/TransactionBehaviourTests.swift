import SIPTransactions
import Testing
import Timekeeping

@Suite("RFC 3261 §17.2, RFC 4320: the delayed 100")
struct DelayedTryingTests {
  let timers = TransactionTimers()

  // C26: within 200 ms, and only when nothing else went out.
  @Test("An INVITE gets a 100 after 150 ms, once")
  func delayed() {
    var machine = InviteServerTransaction(receivedAt: .origin, timers: timers, reliable: false)
    #expect(machine.deadline == at(150))
    #expect(machine.timerFired(at: at(149)) == .nothing)
    #expect(machine.timerFired(at: at(150)) == .sendTrying)
    #expect(machine.timerFired(at: at(10_000)) == .nothing)
    #expect(machine.deadline == .distantFuture)
  }

  // C26, C27: the caller waits already, so it is told at once.
  @Test("A repeated INVITE is answered 100 at once, then with what was sent last")
  func repeated() {
    var machine = InviteServerTransaction(receivedAt: .origin, timers: timers, reliable: false)
    #expect(machine.receivedRetransmission(at: at(50)) == .sendTrying)
    #expect(machine.deadline == .distantFuture)
    #expect(machine.receivedRetransmission(at: at(60)) == .resendProvisional)
  }

  @Test("Whatever is sent before the delay takes the place of the 100")
  func replaced() {
    var provisional = InviteServerTransaction(receivedAt: .origin, timers: timers, reliable: false)
    provisional.sentProvisional(at: at(10))
    #expect(provisional.deadline == .distantFuture)
    var trying = InviteServerTransaction(receivedAt: .origin, timers: timers, reliable: true)
    trying.sentTrying(at: .origin)
    #expect(trying.timerFired(at: at(150)) == .nothing)
    var final = InviteServerTransaction(receivedAt: .origin, timers: timers, reliable: true)
    _ = final.sendSuccess(at: at(10))
    #expect(final.timerFired(at: at(150)) == .nothing)
  }

  @Test("The delay of the 100 can be chosen")
  func chosen() {
    let timers = TransactionTimers(tryingDelay: .zero)
    var machine = InviteServerTransaction(receivedAt: at(7), timers: timers, reliable: false)
    #expect(machine.deadline == at(7))
    #expect(machine.timerFired(at: at(7)) == .sendTrying)
  }

  // C44, C45, C46: RFC 4320 section 4.1.
  @Test("Any other request gets a 100 after 3.5 s, on every transport", arguments: [false, true])
  func nonInvite(reliable: Bool) {
    var machine = NonInviteServerTransaction(receivedAt: .origin, timers: timers, reliable: reliable)
    #expect(machine.timerFired(at: at(3_499)) == .nothing)
    #expect(machine.receivedRetransmission(at: at(3_499)) == .absorb)
    #expect(machine.timerFired(at: at(3_500)) == .sendTrying)
    #expect(machine.receivedRetransmission(at: at(3_501)) == .resendProvisional)
  }

  // C44: the machine itself keeps the prohibition.
  @Test("A 100 to a non-INVITE over UDP is discarded before 3.5 s and sent from then on")
  func tooEarly() {
    var early = NonInviteServerTransaction(receivedAt: .origin, timers: timers, reliable: false)
    #expect(early.sendTrying(at: at(3_499)) == .discard)
    #expect(early.state == .trying)
    #expect(early.sendTrying(at: at(3_500)) == .send)
    #expect(early.timerFired(at: at(3_500)) == .nothing)
  }
}

@Suite("RFC 3261 §17, RFC 6026: lives of transactions")
struct TransactionBehaviourTests {
  let timers = TransactionTimers()

  // C20, C21: a fork's second 2xx and every repetition go up until Timer M.
  @Test("Every 2xx within 64*T1 of the first goes up, none after")
  func forked2xx() {
    var machine = InviteClientTransaction(sentAt: .origin, timers: timers, reliable: false)
    #expect(machine.receivedSuccess(at: at(1_000)) == .passUp)
    #expect(machine.receivedSuccess(at: at(20_000)) == .passUp)
    #expect(machine.timerFired(at: at(33_000)) == .terminated)
    #expect(machine.receivedSuccess(at: at(33_001)) == .drop)
  }

  // C30, C31, C35: the ACK of a 2xx is forwarded each time; transport errors change nothing.
  @Test("In Accepted the server passes ACKs and further 2xx until Timer L")
  func accepted() {
    var machine = InviteServerTransaction(receivedAt: .origin, timers: timers, reliable: true)
    _ = machine.sendSuccess(at: at(1_000))
    #expect(machine.receivedAck(at: at(1_100)) == .passToCore)
    #expect(machine.sendSuccess(at: at(1_200)) == .send)
    #expect(machine.transportFailed(at: at(1_300)) == .inform)
    #expect(machine.receivedAck(at: at(1_400)) == .passToCore)
    #expect(machine.state == .accepted)
    #expect(machine.timerFired(at: at(33_000)) == .terminated)
  }

  // C39, C47, RFC 4320 section 4.2: no answer is sent, and the request must not start anew meanwhile.
  @Test("A request the core never answers is absorbed for 64*T1 + T4 and then ends by itself")
  func neverAnswered() {
    var machine = NonInviteServerTransaction(receivedAt: .origin, timers: timers, reliable: false)
    #expect(fireAll(&machine) { $0.deadline } == ["3500 sendTrying", "37000 terminated"])
  }

  // A timer call never acts before its time, whatever the state.
  @Test("A timer call before the deadline changes nothing")
  func early() {
    var inviteClient = InviteClientTransaction(sentAt: at(10), timers: timers, reliable: false)
    var client = NonInviteClientTransaction(sentAt: at(10), timers: timers, reliable: false)
    var inviteServer = InviteServerTransaction(receivedAt: at(10), timers: timers, reliable: false)
    var server = NonInviteServerTransaction(receivedAt: at(10), timers: timers, reliable: false)
    for instant in [MonotonicInstant.origin, at(10), at(159)] {
      #expect(inviteClient.timerFired(at: instant) == .nothing)
      #expect(client.timerFired(at: instant) == .nothing)
      #expect(inviteServer.timerFired(at: instant) == .nothing)
      #expect(server.timerFired(at: instant) == .nothing)
    }
    #expect(inviteClient.deadline == at(510))
    #expect(client.deadline == at(510))
    #expect(inviteServer.deadline == at(160))
    #expect(server.deadline == at(3_510))
  }

  @Test("A late timer call retransmits once, not once for every interval missed")
  func late() {
    var machine = NonInviteClientTransaction(sentAt: .origin, timers: timers, reliable: false)
    #expect(machine.timerFired(at: at(20_000)) == .retransmit)
    #expect(machine.timerFired(at: at(20_000)) == .nothing)
    #expect(machine.deadline == at(21_000))
  }

  @Test("A clock that jumps far ahead ends every machine within two calls")
  func farAhead() {
    var inviteClient = InviteClientTransaction(sentAt: .origin, timers: timers, reliable: false)
    #expect(inviteClient.timerFired(at: .distantFuture) == .timedOut)
    var client = NonInviteClientTransaction(sentAt: .origin, timers: timers, reliable: false)
    #expect(client.timerFired(at: .distantFuture) == .timedOut)
    var server = NonInviteServerTransaction(receivedAt: .origin, timers: timers, reliable: false)
    #expect(server.timerFired(at: .distantFuture) == .terminated)
    var inviteServer = InviteServerTransaction(receivedAt: .origin, timers: timers, reliable: false)
    #expect(inviteServer.timerFired(at: .distantFuture) == .sendTrying)
    #expect(inviteServer.timerFired(at: .distantFuture) == .nothing)
    #expect(inviteServer.sendFailure(at: .distantFuture) == .send)
    #expect(inviteServer.timerFired(at: .distantFuture) == .ackMissing)
    #expect(inviteClient.timerFired(at: .distantFuture) == .nothing)
    #expect(client.isTerminated && server.isTerminated && inviteServer.isTerminated)
  }

  @Test("At the end of the clock the timers saturate")
  func saturation() {
    let end = MonotonicInstant(nanoseconds: .max - 1)
    let machine = InviteClientTransaction(sentAt: end, timers: timers, reliable: false)
    #expect(machine.deadline == .distantFuture)
  }

  // The machines' part of C55: nothing is left to wait for.
  @Test(
    "A terminated machine has no deadline and answers every event with nothing", arguments: [false, true])
  func terminated(reliable: Bool) {
    func check<M: TabulatedMachine>(_ machine: M.Type) {
      let rows = machine.stateTable(reliable: reliable).filter { $0.state == "Terminated" }
      #expect(rows.count == machine.Event.allCases.count)  // so no timer has a row
      for row in rows {
        #expect(row.next == "Terminated")
        #expect(["drop", "discard", "absorb", "absorbed", "-"].contains(row.action))
      }
    }
    check(InviteClientTransaction.self)
    check(InviteServerTransaction.self)
    check(NonInviteClientTransaction.self)
    check(NonInviteServerTransaction.self)
  }

  // Budget: a machine stands inside a transaction record.
  @Test("Every machine fits into 32 bytes")
  func layout() {
    #expect(MemoryLayout<InviteClientTransaction>.stride <= 32)
    #expect(MemoryLayout<InviteServerTransaction>.stride <= 32)
    #expect(MemoryLayout<NonInviteClientTransaction>.stride <= 32)
    #expect(MemoryLayout<NonInviteServerTransaction>.stride <= 32)
  }
}
