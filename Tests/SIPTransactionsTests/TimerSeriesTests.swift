import SIPTransactions
import Testing
import Timekeeping

@Suite("RFC 3261 Table 4, RFC 6026 §8.11: when the timers fire")
struct TimerSeriesTests {
  let timers = TransactionTimers()

  // C1, C2: T1, then doubling without a cap; B at 64*T1.
  @Test("Timer A repeats the INVITE at 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s and B ends it at 32 s")
  func timerA() {
    var machine = InviteClientTransaction(sentAt: .origin, timers: timers, reliable: false)
    #expect(
      fireAll(&machine) { $0.deadline } == [
        "500 retransmit", "1500 retransmit", "3500 retransmit", "7500 retransmit", "15500 retransmit",
        "31500 retransmit", "32000 timedOut",
      ])
    #expect(machine.isTerminated)
  }

  // C5, C6, erratum 2769: doubling up to T2.
  @Test("Timer E repeats a request after 0.5, 1, 2, 4, 4, ... s and F ends it at 32 s")
  func timerE() {
    var machine = NonInviteClientTransaction(sentAt: .origin, timers: timers, reliable: false)
    #expect(
      fireAll(&machine) { $0.deadline } == [
        "500 retransmit", "1500 retransmit", "3500 retransmit", "7500 retransmit", "11500 retransmit",
        "15500 retransmit", "19500 retransmit", "23500 retransmit", "27500 retransmit", "31500 retransmit",
        "32000 timedOut",
      ])
    #expect(machine.isTerminated)
  }

  // C37: in Proceeding the running Timer E fires as set, then every T2.
  @Test("After a provisional response Timer E goes on every 4 s")
  func timerEInProceeding() {
    var machine = NonInviteClientTransaction(sentAt: .origin, timers: timers, reliable: false)
    _ = machine.receivedProvisional(at: at(100))
    #expect(
      fireAll(&machine) { $0.deadline } == [
        "500 retransmit", "4500 retransmit", "8500 retransmit", "12500 retransmit", "16500 retransmit",
        "20500 retransmit", "24500 retransmit", "28500 retransmit", "32000 timedOut",
      ])
  }

  // C7, C8: the same series as Timer E, from the sending of the final.
  @Test("Timer G repeats a final after 0.5, 1, 2, 4, 4, ... s and H gives up after 32 s")
  func timerG() {
    var machine = InviteServerTransaction(receivedAt: .origin, timers: timers, reliable: false)
    _ = machine.sendFailure(at: at(1_000))
    #expect(
      fireAll(&machine) { $0.deadline } == [
        "1500 retransmitFinal", "2500 retransmitFinal", "4500 retransmitFinal", "8500 retransmitFinal",
        "12500 retransmitFinal", "16500 retransmitFinal", "20500 retransmitFinal", "24500 retransmitFinal",
        "28500 retransmitFinal", "32500 retransmitFinal", "33000 ackMissing",
      ])
    #expect(machine.isTerminated)
  }

  // C1, C5, C7: reliable transports repeat nothing; B, F, H stay.
  @Test("Over a reliable transport nothing is repeated and the bounds stay")
  func reliable() {
    var inviteClient = InviteClientTransaction(sentAt: .origin, timers: timers, reliable: true)
    var client = NonInviteClientTransaction(sentAt: .origin, timers: timers, reliable: true)
    var inviteServer = InviteServerTransaction(receivedAt: .origin, timers: timers, reliable: true)
    _ = inviteServer.sendFailure(at: .origin)
    #expect(fireAll(&inviteClient) { $0.deadline } == ["32000 timedOut"])
    #expect(fireAll(&client) { $0.deadline } == ["32000 timedOut"])
    #expect(fireAll(&inviteServer) { $0.deadline } == ["32000 ackMissing"])
  }

  // C4, C9-C13.
  @Test("The closing timers D, I, J, K, L and M have their lengths over UDP")
  func closingTimers() {
    var d = InviteClientTransaction(sentAt: .origin, timers: timers, reliable: false)
    _ = d.receivedFailure(at: at(100))
    #expect(fireAll(&d) { $0.deadline } == ["32100 terminated"])

    var m = InviteClientTransaction(sentAt: .origin, timers: timers, reliable: false)
    _ = m.receivedSuccess(at: at(100))
    _ = m.receivedSuccess(at: at(9_000))  // a further 2xx does not prolong M
    #expect(fireAll(&m) { $0.deadline } == ["32100 terminated"])

    var k = NonInviteClientTransaction(sentAt: .origin, timers: timers, reliable: false)
    _ = k.receivedFinal(at: at(100))
    #expect(fireAll(&k) { $0.deadline } == ["5100 terminated"])

    var i = InviteServerTransaction(receivedAt: .origin, timers: timers, reliable: false)
    _ = i.sendFailure(at: at(100))
    _ = i.receivedAck(at: at(200))
    _ = i.receivedAck(at: at(300))  // nor a further ACK I
    #expect(fireAll(&i) { $0.deadline } == ["5200 terminated"])

    var l = InviteServerTransaction(receivedAt: .origin, timers: timers, reliable: false)
    _ = l.sendSuccess(at: at(100))
    _ = l.sendSuccess(at: at(9_000))
    #expect(fireAll(&l) { $0.deadline } == ["32100 terminated"])

    var j = NonInviteServerTransaction(receivedAt: .origin, timers: timers, reliable: false)
    _ = j.sendFinal(at: at(100))
    #expect(fireAll(&j) { $0.deadline } == ["32100 terminated"])
  }

  // C17: the proxy's Timer C is the only bound in Proceeding.
  @Test("An INVITE client transaction in Proceeding has no timer")
  func proceedingHasNoTimer() {
    var machine = InviteClientTransaction(sentAt: .origin, timers: timers, reliable: false)
    _ = machine.receivedProvisional(at: at(100))
    #expect(machine.deadline == .distantFuture)
    #expect(machine.timerFired(at: at(1_000_000)) == .nothing)
    #expect(machine.timerFired(at: .distantFuture) == .nothing)
    #expect(machine.state == .proceeding)
  }

  // C14: whatever T1 is, the back-off is exponential; T2 and T4 stay, D stays at 32 s or more.
  @Test(
    "T1 sets A, B, E and F; T2 and T4 stay; D never falls below 32 s",
    arguments: [
      (t1: 100, a: [100, 300, 700, 1_500, 3_100, 6_300], b: 6_400, d: 32_000, trying: 6_300),
      (t1: 500, a: [500, 1_500, 3_500, 7_500, 15_500, 31_500], b: 32_000, d: 32_000, trying: 3_500),
      (t1: 1_000, a: [1_000, 3_000, 7_000, 15_000, 31_000, 63_000], b: 64_000, d: 64_000, trying: 3_000),
      (t1: 8_000, a: [8_000, 24_000, 56_000, 120_000], b: 512_000, d: 512_000, trying: 8_000),
    ] as [(t1: Int64, a: [Int64], b: Int64, d: Int64, trying: Int64)])
  func otherT1(_ t1: Int64, _ a: [Int64], _ b: Int64, _ d: Int64, _ trying: Int64) {
    let timers = TransactionTimers(t1: .milliseconds(t1))
    var machine = InviteClientTransaction(sentAt: .origin, timers: timers, reliable: false)
    let log = fireAll(&machine) { $0.deadline }
    #expect(Array(log.prefix(a.count)) == a.map { "\($0) retransmit" })
    #expect(log.last == "\(b) timedOut")
    #expect(timers.timeout.wholeMilliseconds == b)
    #expect(timers.timerD.wholeMilliseconds == d)
    #expect(timers.t2.wholeMilliseconds == max(4_000, t1))
    #expect(timers.t4.wholeMilliseconds == 5_000)
    #expect(timers.nonInviteTryingDelay.wholeMilliseconds == trying)
  }

  @Test("Odd values of T1 neither trap nor loop", arguments: [Int64.min, -1, 0, 1, .max])
  func oddT1(_ nanoseconds: Int64) {
    let timers = TransactionTimers(t1: TimeSpan(nanoseconds: nanoseconds))
    #expect(timers.t1 >= .milliseconds(1))
    #expect(timers.t2 >= timers.t1)
    var machine = NonInviteClientTransaction(sentAt: .origin, timers: timers, reliable: false)
    #expect(fireAll(&machine) { $0.deadline }.last?.hasSuffix("timedOut") == true)
  }
}
