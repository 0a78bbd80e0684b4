/// What became of the calls of one purpose.
struct PurposeTally {
  /// INVITEs sent for the first time.
  var started = 0
  /// 2xx received.
  var answered = 0
  /// Calls that went as they should: answered for idle ones, hung up and confirmed for the others.
  var completed = 0
  /// Calls that did not.
  var failed = 0
  /// Calls whose end is open: those of the others only, since an idle one is over when it is answered.
  var open: Int { started - completed - failed }
}

/// Everything that the caller counts.
struct CallerTally {
  /// By purpose, in the order of `Purpose.allCases`.
  var purposes = [PurposeTally](repeating: PurposeTally(), count: Purpose.allCases.count)
  /// Session refreshes that a 2xx answered.
  var refreshes = 0
  /// Requests sent again, since nothing had answered them.
  var repeatedInvites = 0
  /// The same of UPDATE.
  var repeatedUpdates = 0
  /// The same of BYE.
  var repeatedByes = 0
  /// Final answers that came once more; for INVITE each gets another ACK.
  var duplicateAnswers = 0
  /// Answers other than 2xx, by status; 0 stands for no answer within 32 seconds.
  var refusals: [Int: Int] = [:]
  /// 2xx whose session interval is not the one asked for.
  var changedIntervals = 0
  /// Answers to INVITE with another number of Via values than the caller's one, or without a usable route set.
  var faultyAnswers = 0
  /// Requests that came to the caller, such as a BYE that the proxy made.
  var requestsToCaller = 0
  /// Datagrams that belong to no call of this run.
  var unknown = 0

  /// By purpose.
  subscript(purpose: Purpose) -> PurposeTally {
    get { purposes[Int(purpose.rawValue)] }
    set { purposes[Int(purpose.rawValue)] = newValue }
  }

  /// Requests sent again, of every kind.
  var repeated: Int { repeatedInvites + repeatedUpdates + repeatedByes }
}
