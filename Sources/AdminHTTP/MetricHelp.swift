import ProxyCore

/// What each number means, in the words `/metrics` gives to people. A new counter gets its line here.
extension Counter {
  /// One sentence for `# HELP`.
  var help: String {
    switch self {
    case .failovers: "Requests sent to another address because one failed, kept silent or answered 503."
    case .nextHopsNotLocated: "Requests whose next hop the DNS did not give an address for."
    case .nameAnswers: "Answers of the DNS, failures included."
    case .nameFailures: "Questions that the DNS did not answer usefully."
    case .lookupsRefusedBySourceLimit:
      "Requests whose next hop was not looked up because their source had more than its share of open questions or of waiting requests."
    case .messagesHandedOver: "Messages that arrived at one worker and were given to that of their call."
    case .requestsReceived: "SIP requests received, retransmissions included."
    case .responsesReceived: "SIP responses received."
    case .keepAlivesReceived: "Keep-alive datagrams received: empty ones and those of line breaks only."
    case .requestRetransmissionsReceived: "Requests received that repeat one already known."
    case .stunBindingsAnswered: "STUN Binding requests answered with the client's address."
    case .stunBindingsRefused:
      "STUN Binding requests answered 420 because they demand what is not known here."
    case .requestsForwarded: "Requests forwarded, without retransmissions."
    case .responsesForwarded: "Responses forwarded."
    case .acksForwarded: "ACK requests forwarded."
    case .cancelsForwardedStatelessly: "CANCEL requests forwarded without knowing what they cancel."
    case .requestRetransmissionsSent: "Requests sent again because no response came."
    case .finalRetransmissionsSent:
      "Final responses sent again because no ACK came or the request came again."
    case .tryingSent: "100 responses sent."
    case .cancelsSent: "CANCEL requests the proxy sent."
    case .acksSent: "ACK requests the proxy sent for responses that are not 2xx."
    case .answered200, .answered400, .answered403, .answered404, .answered408, .answered416, .answered420,
      .answered422, .answered430, .answered482, .answered483, .answered500, .answered501,
      .answered503, .answered505, .answeredOther:
      "Final responses the proxy gave itself, by status."
    case .droppedUnrecognisable, .droppedMalformedResponse, .droppedMalformedAck, .droppedUnanswerable,
      .droppedStrayResponse, .droppedForeignVia, .droppedLateResponse, .droppedUnsendableResponse,
      .droppedAckNotAllowed, .droppedAckUnroutable, .droppedCancelNotAllowed, .droppedCancelUnroutable,
      .droppedTimeoutOfNonInvite, .droppedLateFinal, .droppedTimedOutBranch, .droppedForbiddenDestination,
      .droppedOutOfMemory, .droppedStun, .droppedHandOver:
      "Messages not forwarded and not answered, by reason."
    case .ignoredMaddr: "Via fields whose maddr parameter was not followed."
    case .receiveErrors: "Errors the system reported when datagrams were received."
    case .receiveTruncated: "Datagrams dropped because they were longer than any message may be."
    case .sendBlocked: "Messages dropped because the socket's send buffer was full."
    case .icmpFailuresReceived:
      "ICMP errors received that say a datagram of ours cannot reach its destination."
    case .icmpErrorsIgnored: "ICMP errors received that do not say so, such as an exceeded time to live."
    case .branchesUnreachable: "Forwarded requests given up at once because of an ICMP error."
    case .sendErrors: "Messages the system refused to send."
    case .connectionsAccepted: "Connections accepted over TCP and TLS."
    case .connectionsEstablished: "Connections that the proxy opened over TCP and TLS."
    case .connectionsFailed: "Connections that the proxy tried to open in vain."
    case .connectionsRefusedByLimit, .connectionsRefusedBySourceLimit:
      "Connections not accepted or not opened because there were too many, by limit."
    case .connectionAcceptErrors: "Connections over TCP and TLS that the system would not accept."
    case .connectionsClosedByPeer, .connectionsClosedBroken, .connectionsClosedIdle,
      .connectionsClosedReclaimed, .connectionsClosedUnestablished, .connectionsClosedWrongIdentity,
      .connectionsClosedFramingLost,
      .connectionsClosedHeaderTooLarge, .connectionsClosedBodyTooLarge, .connectionsClosedTooSlow,
      .connectionsClosedPartialMemory:
      "Connections over TCP and TLS that ended, by cause."
    case .pingsAnswered: "Keep-alives of double CRLF answered on connections."
    case .queryConnectionsCut:
      "Connections of the query API closed before their answer was out: too slow, or too many."
    case .queryAcceptErrors: "Connections of the query API that the system would not accept."
    case .inviteServerTransactions: "INVITE server transactions begun."
    case .nonInviteServerTransactions: "Other server transactions begun."
    case .inviteClientTransactions: "INVITE client transactions begun."
    case .nonInviteClientTransactions: "Other client transactions begun."
    case .timerBFired, .timerCFired, .timerFFired, .timerHFired:
      "Timers of RFC 3261 that ran out: b and f without an answer, c ringing too long, h without an ACK."
    case .transactionLimitReached: "Requests refused because --max-transactions was reached."
    case .dialogLimitReached: "Requests refused because --max-dialogs was reached."
    case .earlyDialogLimitReached: "Early dialogs not recorded because their INVITE had opened too many."
    case .refusedWhileDraining: "Requests refused because the process was about to end."
    case .sessionExpiresInserted: "Requests that got a Session-Expires field."
    case .sessionExpiresLowered: "Requests whose Session-Expires was lowered."
    case .sessionExpiresRaised: "Requests whose Session-Expires was raised."
    case .sessionExpiresAccepted: "Requests whose Session-Expires passed unchanged."
    case .minSEInserted: "Requests that got a Min-SE field."
    case .minSERaised: "Requests whose Min-SE was raised."
    case .sessionTimerFieldsOpaque: "Session-timer fields that could not be read and passed unchanged."
    case .refresherUnknown: "2xx responses with a session timer that do not say who refreshes."
    case .sessionExpiresInsertedInResponse: "2xx responses that got a Session-Expires field."
    case .requireTimerAdded: "2xx responses that got the option tag timer in Require."
    case .dialogsCreated: "Dialogs created."
    case .dialogsConfirmed: "Dialogs confirmed by a 2xx."
    case .dialogsAdopted: "Unknown dialogs recorded because of a refresh."
    case .dialogsRefreshed: "Session refreshes that moved a dialog's expiration."
    case .dialogsEndedByBye, .dialogsEndedBySessionExpiry, .dialogsEndedByUntimedLifetime,
      .dialogsEndedBySessionCap, .dialogsEndedBySetupFailure, .dialogsEndedBy481,
      .dialogsEndedByEarlyTimeout, .dialogsEndedByReclaim:
      "Dialogs ended, by cause."
    }
  }
}

extension Gauge {
  /// One sentence for `# HELP`.
  var help: String {
    switch self {
    case .dialogsEarly: "Dialogs that are being set up."
    case .dialogsTimed: "Confirmed dialogs with a session timer."
    case .dialogsUntimed: "Confirmed dialogs without a session timer."
    case .serverTransactions: "Server transactions, until their last timer has ended."
    case .serverTransactionsOpen: "Server transactions without a final response."
    case .clientTransactions: "Client transactions, until their last timer has ended."
    case .dialogBytes: "Bytes of memory mapped for dialogs."
    case .transactionBytes: "Bytes of memory mapped for transactions."
    case .connections: "Connections over TCP and TLS, those being opened included."
    case .partialMessageBytes: "Bytes received of messages that are not complete."
    case .writeQueueBytes: "Bytes waiting to be sent over connections, as of the last look at each."
    }
  }
}
