import SIPSyntax
import Timekeeping

/// The callee's part: INVITE, CANCEL, BYE and the rest (RFC 3261 §8.2, §9.2, §13.3, §15.1.2).
extension SimulatedUserAgent {
  func receiveRequest(_ message: WireMessage, from source: SocketAddress) {
    if plan.answer == .silence, message.toTag.isEmpty { return }
    guard let transaction = open(message, from: source) else { return }
    switch message.method {
    case "CANCEL": receiveCancel(transaction)
    case "INVITE" where message.toTag.isEmpty: receiveInvite(transaction)
    case _ where message.toTag.isEmpty: answerInTime(transaction, random.pick([200, 200, 404, 408, 503]))
    default: receiveInDialog(transaction)
    }
  }

  func receiveAck(_ message: WireMessage) {
    for transaction in servers.values
    where transaction.request.method == "INVITE" && transaction.request.callID == message.callID
      && transaction.request.cSeq == message.cSeq
      && (transaction.request.toTag.isEmpty ? transaction.tag : transaction.request.toTag) == message.toTag
    {
      transaction.isAcknowledged = true
      dialog(of: message)?.isAnswering = false
    }
  }

  private func receiveCancel(_ transaction: UserAgentServerTransaction) {
    let branch = transaction.request.branches.first ?? ""
    guard let invite = servers["\(branch) INVITE"] else {
      answer(transaction, 481, "Call/Transaction Does Not Exist")
      return
    }
    transaction.tag = invite.tag
    answer(transaction, 200, "OK")
    if !plan.ignoresCancel { answer(invite, 487, "Request Terminated") }
  }

  private func receiveInvite(_ transaction: UserAgentServerTransaction) {
    let message = transaction.request
    let isMerged = servers.values.contains {
      $0 !== transaction && $0.request.method == "INVITE" && $0.request.callID == message.callID
        && $0.request.cSeq == message.cSeq && $0.request.toTag.isEmpty
    }
    if isMerged {
      answer(transaction, 482, "Loop Detected")
      return
    }
    if let row = refusalOfInterval(in: message) {
      answer(transaction, 422, "Session Interval Too Small", extra: [row])
      return
    }
    if let status = plan.challenge, message.value("authorization") == nil {
      answer(transaction, status, "Who Are You", extra: ["WWW-Authenticate: Digest realm=\"r\", nonce=\"n\""])
      return
    }
    after(random.span(milliseconds: 10...1500)) { [unowned self] in ring(transaction) }
    after(.milliseconds(1500) + plan.ringsFor) { [unowned self] in decide(transaction) }
  }

  private func ring(_ transaction: UserAgentServerTransaction) {
    guard transaction.status < 200 else { return }
    let (status, reason) = random.chance(800) ? (180, "Ringing") : (183, "Session Progress")
    let dialog = dialogAsCallee(transaction)
    let isReliable = profile.supportsReliability && transaction.request.lists("100rel", in: "supported")
    dialog.awaitsPrack = isReliable
    let rows = isReliable ? ["Require: 100rel", "RSeq: \(random.number(1...9999))"] : []
    answer(transaction, status, reason, extra: rows, body: anyBody())
    if isReliable { repeatRinging(transaction, in: dialog, after: .milliseconds(500)) }
    if plan.calleeUpdatesEarly {
      after(random.span(milliseconds: 100...2000)) { [unowned self] in
        if !dialog.isConfirmed && transaction.status < 300 { refresh(dialog) }
      }
    }
  }

  /// RFC 3262 §3: until its PRACK comes.
  private func repeatRinging(
    _ transaction: UserAgentServerTransaction, in dialog: UserAgentDialog, after span: TimeSpan
  ) {
    guard span < .seconds(32) else { return }
    after(span) { [unowned self] in
      guard dialog.awaitsPrack, transaction.status < 200, let ringing = transaction.lastResponse else {
        return
      }
      sendResponse(ringing, of: transaction)
      repeatRinging(transaction, in: dialog, after: span * 2)
    }
  }

  private func decide(_ transaction: UserAgentServerTransaction) {
    guard transaction.status < 200 else { return }
    switch plan.answer {
    case .silence, .ringForEver: break
    case .refuse(let status): answer(transaction, status, "Refused")
    case .accept:
      let dialog = dialogAsCallee(transaction)
      guard !dialog.hasEnded else { return }
      dialog.isConfirmed = true
      dialog.isAnswering = true
      accept(transaction, in: dialog)
      talk(in: dialog)
    }
  }

  private func dialogAsCallee(_ transaction: UserAgentServerTransaction) -> UserAgentDialog {
    let message = transaction.request
    let known = dialogs.first {
      $0.callID == message.callID && $0.remoteTag == message.fromTag && $0.localTag == transaction.tag
    }
    if let known { return known }
    let dialog = UserAgentDialog(
      callID: message.callID, localTag: transaction.tag, remoteTag: message.fromTag, isCaller: false,
      remoteTarget: message.uri(in: "contact") ?? "", routes: message.rows("record-route").map(\.value),
      cSeq: random.number(1...1000))
    dialogs.append(dialog)
    return dialog
  }

  private func receiveInDialog(_ transaction: UserAgentServerTransaction) {
    let message = transaction.request
    guard let dialog = dialog(of: message), !dialog.hasEnded else {
      answer(transaction, 481, "Call/Transaction Does Not Exist")
      return
    }
    switch message.method {
    case "BYE":
      end(dialog)
      // Its 2xx need no ACK any more.
      for invite in servers.values where invite.request.callID == message.callID {
        invite.isAcknowledged = true
      }
      answer(transaction, 200, "OK")
    case "INVITE", "UPDATE":
      receiveRefresh(transaction, in: dialog)
    default:
      if message.method == "PRACK" { dialog.awaitsPrack = false }
      answerInTime(transaction, 200)
    }
  }

  /// Answers at once, or when a slow agent gets round to it, perhaps too late.
  private func answerInTime(_ transaction: UserAgentServerTransaction, _ status: Int) {
    guard profile.answersSlowly else {
      answer(transaction, status, "At Once", body: anyBody())
      return
    }
    if random.chance(500) { answer(transaction, 100, "Trying") }
    after(random.span(milliseconds: 0...40_000)) { [unowned self] in
      answer(transaction, status, "At Last", body: anyBody())
    }
  }

  private func receiveRefresh(_ transaction: UserAgentServerTransaction, in dialog: UserAgentDialog) {
    let message = transaction.request
    if dialog.isRefreshing || (dialog.isAnswering && message.method == "INVITE") {
      answer(transaction, 491, "Request Pending")
    } else if let row = refusalOfInterval(in: message) {
      answer(transaction, 422, "Session Interval Too Small", extra: [row])
    } else {
      dialog.remoteTarget = message.uri(in: "contact") ?? dialog.remoteTarget
      if message.method == "INVITE" { dialog.isAnswering = true }
      accept(transaction, in: dialog)
    }
  }

  /// 200 with the session timer of RFC 4028 §9; without its ACK the dialog ends (RFC 3261 §13.3.1.4).
  private func accept(_ transaction: UserAgentServerTransaction, in dialog: UserAgentDialog) {
    let timer = timerOfAnswer(to: transaction.request)
    answer(transaction, 200, "OK", extra: timer.rows, body: anyBody()) { [unowned self] in
      dialog.isAnswering = false
      hangUp(dialog)
    }
    guard dialog.isConfirmed else { return }
    runTimer(timer.interval, localRefreshes: timer.refresher == "uas", in: dialog)
  }
}
