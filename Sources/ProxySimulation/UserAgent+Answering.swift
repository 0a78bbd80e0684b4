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
    answer(invite, 487, "Request Terminated")
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
    after(random.span(milliseconds: 10...1500)) { [unowned self] in
      let (status, reason) = random.chance(800) ? (180, "Ringing") : (183, "Session Progress")
      answer(transaction, status, reason, body: anyBody())
      _ = dialogAsCallee(transaction)
    }
    after(.milliseconds(1500) + plan.ringsFor) { [unowned self] in decide(transaction) }
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
      answer(transaction, 200, "OK", body: anyBody())
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
