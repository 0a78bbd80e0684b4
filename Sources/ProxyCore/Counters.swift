import Synchronization

/// Everything the proxy counts. Each case is one number that only grows.
///
/// Nothing is lost silently: every message that is not forwarded raises one of these.
public enum Counter: Int, CaseIterable, Sendable {
  // What arrived.
  case requestsReceived, responsesReceived, keepAlivesReceived
  case requestRetransmissionsReceived
  // STUN keep-alives (RFC 5626 §8).
  case stunBindingsAnswered, stunBindingsRefused, droppedStun
  // What left.
  case requestsForwarded, responsesForwarded, acksForwarded, cancelsForwardedStatelessly
  case requestRetransmissionsSent, finalRetransmissionsSent, tryingSent, cancelsSent, acksSent
  // What the proxy answered itself.
  case answered200, answered400, answered403, answered404, answered408, answered416, answered420
  case answered422, answered430, answered482, answered483, answered500, answered501
  case answered503, answered505, answeredOther
  // What was dropped, and why.
  case droppedUnrecognisable, droppedMalformedResponse, droppedMalformedAck, droppedUnanswerable
  case droppedStrayResponse, droppedForeignVia, droppedLateResponse, droppedUnsendableResponse
  case droppedAckNotAllowed, droppedAckUnroutable, droppedCancelNotAllowed, droppedCancelUnroutable
  case droppedTimeoutOfNonInvite, droppedLateFinal, droppedTimedOutBranch
  case droppedForbiddenDestination, droppedOutOfMemory, droppedHandOver
  case ignoredMaddr
  // The socket edge.
  case receiveErrors, receiveTruncated, sendBlocked, sendErrors
  // Messages that arrived at one worker and belong to another.
  case messagesHandedOver
  // Several ways for one request, and names.
  case failovers, nextHopsNotLocated, nameAnswers, nameFailures, lookupsRefusedBySourceLimit
  // Connections of TCP and TLS.
  case connectionsAccepted, connectionsEstablished, connectionsFailed
  case connectionsRefusedByLimit, connectionsRefusedBySourceLimit, connectionAcceptErrors
  case connectionsClosedByPeer, connectionsClosedBroken, connectionsClosedIdle, connectionsClosedReclaimed
  case connectionsClosedUnestablished, connectionsClosedWrongIdentity, connectionsClosedFramingLost
  case connectionsClosedHeaderTooLarge, connectionsClosedBodyTooLarge, connectionsClosedTooSlow
  case connectionsClosedPartialMemory
  case pingsAnswered
  // ICMP errors (D24): failures, others, and the branches that a failure ended.
  case icmpFailuresReceived, icmpErrorsIgnored, branchesUnreachable
  // Clients of the query API.
  case queryConnectionsCut, queryAcceptErrors
  // Transactions.
  case inviteServerTransactions, nonInviteServerTransactions
  case inviteClientTransactions, nonInviteClientTransactions
  case timerBFired, timerCFired, timerFFired, timerHFired
  case transactionLimitReached, dialogLimitReached, earlyDialogLimitReached, refusedWhileDraining
  // Session timers (RFC 4028 §8).
  case sessionExpiresInserted, sessionExpiresLowered, sessionExpiresRaised, sessionExpiresAccepted
  case minSEInserted, minSERaised, sessionTimerFieldsOpaque, refresherUnknown
  case sessionExpiresInsertedInResponse, requireTimerAdded
  // Dialogs.
  case dialogsCreated, dialogsConfirmed, dialogsAdopted, dialogsRefreshed
  case dialogsEndedByBye, dialogsEndedBySessionExpiry, dialogsEndedByUntimedLifetime
  case dialogsEndedBySessionCap, dialogsEndedBySetupFailure, dialogsEndedBy481
  case dialogsEndedByEarlyTimeout, dialogsEndedByReclaim
}

/// A number that goes up and down.
public enum Gauge: Int, CaseIterable, Sendable {
  case dialogsEarly, dialogsTimed, dialogsUntimed
  /// Server transactions until they are destroyed, and those among them without a final response.
  case serverTransactions, serverTransactionsOpen
  case clientTransactions
  case dialogBytes, transactionBytes
  case connections, partialMessageBytes, writeQueueBytes
}

/// The counters of one worker: written by that worker alone, readable from any thread.
///
/// A bump is a relaxed load and a relaxed store, no locked instruction, because there is one writer.
public final class Counters: Sendable {
  private let counters = InlineArray<192, Atomic<UInt64>> { _ in Atomic(0) }
  private let gauges = InlineArray<32, Atomic<Int>> { _ in Atomic(0) }

  /// All counters at zero.
  public init() {}

  /// The value of a counter.
  public subscript(counter: Counter) -> UInt64 {
    counters[counter.rawValue].load(ordering: .relaxed)
  }

  /// The value of a gauge.
  public subscript(gauge: Gauge) -> Int {
    gauges[gauge.rawValue].load(ordering: .relaxed)
  }

  /// Adds to a counter. Only the owning worker calls this.
  public func add(_ amount: UInt64 = 1, to counter: Counter) {
    let index = counter.rawValue
    let value = counters[index].load(ordering: .relaxed)
    counters[index].store(value &+ amount, ordering: .relaxed)
  }

  /// Sets a counter that something else keeps. Only the owning worker calls this.
  public func set(_ counter: Counter, to value: UInt64) {
    counters[counter.rawValue].store(value, ordering: .relaxed)
  }

  /// Sets a gauge. Only the owning worker calls this.
  public func set(_ gauge: Gauge, to value: Int) {
    gauges[gauge.rawValue].store(value, ordering: .relaxed)
  }
}
