import SIPTransactions
import Testing

/// The whole of every machine, by hand from the figures: each (state, event) pair, its action, its next state.
@Suite("RFC 3261 §17, RFC 6026: state tables")
struct StateTableTests {
  // C15-C21, C24, C25; RFC 6026 Figure 5.
  @Test("The INVITE client transaction over UDP has the transitions of RFC 6026 Figure 5")
  func inviteClientUnreliable() {
    #expect(
      InviteClientTransaction.stateTable(reliable: false)
        == rows(
          """
          Calling    | 1xx             | passUp               | Proceeding
          Calling    | 2xx             | passUp               | Accepted
          Calling    | 300-699         | acknowledgeAndPassUp | Completed
          Calling    | Transport error | inform               | Terminated
          Calling    | Timer A         | retransmit           | Calling
          Calling    | Timer B         | timedOut             | Terminated
          Proceeding | 1xx             | passUp               | Proceeding
          Proceeding | 2xx             | passUp               | Accepted
          Proceeding | 300-699         | acknowledgeAndPassUp | Completed
          Proceeding | Transport error | -                    | Proceeding
          Completed  | 1xx             | drop                 | Completed
          Completed  | 2xx             | drop                 | Completed
          Completed  | 300-699         | acknowledgeAgain     | Completed
          Completed  | Transport error | inform               | Terminated
          Completed  | Timer D         | terminated           | Terminated
          Accepted   | 1xx             | drop                 | Accepted
          Accepted   | 2xx             | passUp               | Accepted
          Accepted   | 300-699         | drop                 | Accepted
          Accepted   | Transport error | -                    | Accepted
          Accepted   | Timer M         | terminated           | Terminated
          Terminated | 1xx             | drop                 | Terminated
          Terminated | 2xx             | drop                 | Terminated
          Terminated | 300-699         | drop                 | Terminated
          Terminated | Transport error | -                    | Terminated
          """))
  }

  // C1, C4: no Timer A, Timer D of no length. C18: the ACK is sent all the same.
  @Test("The INVITE client transaction over a reliable transport skips Completed")
  func inviteClientReliable() {
    #expect(
      InviteClientTransaction.stateTable(reliable: true)
        == rows(
          """
          Calling    | 1xx             | passUp               | Proceeding
          Calling    | 2xx             | passUp               | Accepted
          Calling    | 300-699         | acknowledgeAndPassUp | Terminated
          Calling    | Transport error | inform               | Terminated
          Calling    | Timer B         | timedOut             | Terminated
          Proceeding | 1xx             | passUp               | Proceeding
          Proceeding | 2xx             | passUp               | Accepted
          Proceeding | 300-699         | acknowledgeAndPassUp | Terminated
          Proceeding | Transport error | -                    | Proceeding
          Accepted   | 1xx             | drop                 | Accepted
          Accepted   | 2xx             | passUp               | Accepted
          Accepted   | 300-699         | drop                 | Accepted
          Accepted   | Transport error | -                    | Accepted
          Accepted   | Timer M         | terminated           | Terminated
          Terminated | 1xx             | drop                 | Terminated
          Terminated | 2xx             | drop                 | Terminated
          Terminated | 300-699         | drop                 | Terminated
          Terminated | Transport error | -                    | Terminated
          """))
  }

  // C26-C35; RFC 6026 Figure 7.
  @Test("The INVITE server transaction over UDP has the transitions of RFC 6026 Figure 7")
  func inviteServerUnreliable() {
    #expect(
      InviteServerTransaction.stateTable(reliable: false)
        == rows(
          """
          Proceeding (unanswered) | INVITE            | sendTrying        | Proceeding
          Proceeding (unanswered) | 1xx from core     | send              | Proceeding
          Proceeding (unanswered) | 2xx from core     | send              | Accepted
          Proceeding (unanswered) | 300-699 from core | send              | Completed
          Proceeding (unanswered) | ACK               | absorbed          | Proceeding (unanswered)
          Proceeding (unanswered) | Transport error   | inform            | Proceeding (unanswered)
          Proceeding (unanswered) | Delay of 100      | sendTrying        | Proceeding
          Proceeding              | INVITE            | resendProvisional | Proceeding
          Proceeding              | 1xx from core     | send              | Proceeding
          Proceeding              | 2xx from core     | send              | Accepted
          Proceeding              | 300-699 from core | send              | Completed
          Proceeding              | ACK               | absorbed          | Proceeding
          Proceeding              | Transport error   | inform            | Proceeding
          Accepted                | INVITE            | absorb            | Accepted
          Accepted                | 1xx from core     | discard           | Accepted
          Accepted                | 2xx from core     | send              | Accepted
          Accepted                | 300-699 from core | discard           | Accepted
          Accepted                | ACK               | passToCore        | Accepted
          Accepted                | Transport error   | inform            | Accepted
          Accepted                | Timer L           | terminated        | Terminated
          Completed               | INVITE            | resendFinal       | Completed
          Completed               | 1xx from core     | discard           | Completed
          Completed               | 2xx from core     | discard           | Completed
          Completed               | 300-699 from core | discard           | Completed
          Completed               | ACK               | absorbed          | Confirmed
          Completed               | Transport error   | inform            | Completed
          Completed               | Timer G           | retransmitFinal   | Completed
          Completed               | Timer H           | ackMissing        | Terminated
          Confirmed               | INVITE            | absorb            | Confirmed
          Confirmed               | 1xx from core     | discard           | Confirmed
          Confirmed               | 2xx from core     | discard           | Confirmed
          Confirmed               | 300-699 from core | discard           | Confirmed
          Confirmed               | ACK               | absorbed          | Confirmed
          Confirmed               | Transport error   | -                 | Confirmed
          Confirmed               | Timer I           | terminated        | Terminated
          Terminated              | INVITE            | absorb            | Terminated
          Terminated              | 1xx from core     | discard           | Terminated
          Terminated              | 2xx from core     | discard           | Terminated
          Terminated              | 300-699 from core | discard           | Terminated
          Terminated              | ACK               | absorbed          | Terminated
          Terminated              | Transport error   | -                 | Terminated
          """))
  }

  // C7, C9: no Timer G, Timer I of no length; C12: Timer L runs on every transport.
  @Test("The INVITE server transaction over a reliable transport skips Timer G and Confirmed")
  func inviteServerReliable() {
    let unreliable = InviteServerTransaction.stateTable(reliable: false)
    let expected =
      unreliable
      .filter { $0.state != "Confirmed" && $0.event != "Timer G" }
      .map { row in
        row.next == "Confirmed"
          ? StateTableRow(state: row.state, event: row.event, action: row.action, next: "Terminated") : row
      }
    #expect(expected.count == unreliable.count - 8)
    #expect(InviteServerTransaction.stateTable(reliable: true) == expected)
  }

  // C36-C39; RFC 3261 Figure 6.
  @Test("The non-INVITE client transaction over UDP has the transitions of RFC 3261 Figure 6")
  func nonInviteClientUnreliable() {
    #expect(
      NonInviteClientTransaction.stateTable(reliable: false)
        == rows(
          """
          Trying     | 1xx             | passUp     | Proceeding
          Trying     | 200-699         | passUp     | Completed
          Trying     | Transport error | inform     | Terminated
          Trying     | Timer E         | retransmit | Trying
          Trying     | Timer F         | timedOut   | Terminated
          Proceeding | 1xx             | passUp     | Proceeding
          Proceeding | 200-699         | passUp     | Completed
          Proceeding | Transport error | inform     | Terminated
          Proceeding | Timer E         | retransmit | Proceeding
          Proceeding | Timer F         | timedOut   | Terminated
          Completed  | 1xx             | drop       | Completed
          Completed  | 200-699         | drop       | Completed
          Completed  | Transport error | -          | Completed
          Completed  | Timer K         | terminated | Terminated
          Terminated | 1xx             | drop       | Terminated
          Terminated | 200-699         | drop       | Terminated
          Terminated | Transport error | -          | Terminated
          """))
  }

  // C5, C11: no Timer E, Timer K of no length.
  @Test("The non-INVITE client transaction over a reliable transport skips Timer E and Completed")
  func nonInviteClientReliable() {
    #expect(
      NonInviteClientTransaction.stateTable(reliable: true)
        == rows(
          """
          Trying     | 1xx             | passUp     | Proceeding
          Trying     | 200-699         | passUp     | Terminated
          Trying     | Transport error | inform     | Terminated
          Trying     | Timer F         | timedOut   | Terminated
          Proceeding | 1xx             | passUp     | Proceeding
          Proceeding | 200-699         | passUp     | Terminated
          Proceeding | Transport error | inform     | Terminated
          Proceeding | Timer F         | timedOut   | Terminated
          Terminated | 1xx             | drop       | Terminated
          Terminated | 200-699         | drop       | Terminated
          Terminated | Transport error | -          | Terminated
          """))
  }

  // C40-C45; RFC 3261 Figure 8 with erratum 1470. C44: at the origin a 100 over UDP is too early.
  @Test("The non-INVITE server transaction over UDP has the transitions of RFC 3261 Figure 8")
  func nonInviteServerUnreliable() {
    #expect(
      NonInviteServerTransaction.stateTable(reliable: false)
        == rows(
          """
          Trying     | Request                        | absorb            | Trying
          Trying     | 100 from core                  | discard           | Trying
          Trying     | 200-699 from core              | send              | Completed
          Trying     | Transport error                | -                 | Trying
          Trying     | Delay of 100                   | sendTrying        | Proceeding
          Trying     | Bound of an unanswered request | terminated        | Terminated
          Proceeding | Request                        | resendProvisional | Proceeding
          Proceeding | 100 from core                  | send              | Proceeding
          Proceeding | 200-699 from core              | send              | Completed
          Proceeding | Transport error                | inform            | Proceeding
          Proceeding | Bound of an unanswered request | terminated        | Terminated
          Completed  | Request                        | resendFinal       | Completed
          Completed  | 100 from core                  | discard           | Completed
          Completed  | 200-699 from core              | discard           | Completed
          Completed  | Transport error                | inform            | Completed
          Completed  | Timer J                        | terminated        | Terminated
          Terminated | Request                        | absorb            | Terminated
          Terminated | 100 from core                  | discard           | Terminated
          Terminated | 200-699 from core              | discard           | Terminated
          Terminated | Transport error                | -                 | Terminated
          """))
  }

  // C10, C46: Timer J of no length, and a 100 may go at any time.
  @Test("The non-INVITE server transaction over a reliable transport skips Completed")
  func nonInviteServerReliable() {
    #expect(
      NonInviteServerTransaction.stateTable(reliable: true)
        == rows(
          """
          Trying     | Request                        | absorb            | Trying
          Trying     | 100 from core                  | send              | Proceeding
          Trying     | 200-699 from core              | send              | Terminated
          Trying     | Transport error                | -                 | Trying
          Trying     | Delay of 100                   | sendTrying        | Proceeding
          Trying     | Bound of an unanswered request | terminated        | Terminated
          Proceeding | Request                        | resendProvisional | Proceeding
          Proceeding | 100 from core                  | send              | Proceeding
          Proceeding | 200-699 from core              | send              | Terminated
          Proceeding | Transport error                | inform            | Proceeding
          Proceeding | Bound of an unanswered request | terminated        | Terminated
          Terminated | Request                        | absorb            | Terminated
          Terminated | 100 from core                  | discard           | Terminated
          Terminated | 200-699 from core              | discard           | Terminated
          Terminated | Transport error                | -                 | Terminated
          """))
  }
}
