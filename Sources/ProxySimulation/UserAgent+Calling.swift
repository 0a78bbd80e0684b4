import Timekeeping

/// The caller's part: INVITE, CANCEL, ACK, and whoever hangs up (RFC 3261 §9, §13, §15).
extension SimulatedUserAgent {
  /// Calls somebody.
  func call(_ target: String, callID: String) {
    calling.callID = callID
    calling.target = target
    calling.interval = profile.supportsTimer ? profile.interval : nil
    invite()
    if let span = plan.cancelsAfter { after(span) { [unowned self] in giveUp() } }
  }

  /// Sends the first INVITE, or the next after a 422 (RFC 4028 §7.3, A59).
  private func invite() {
    calling.cSeq += 1
    calling.tag = "f\(name)\(calling.cSeq)"
    let head = RequestHead(
      method: "INVITE", uri: calling.target,
      routes: profile.preloadsRoute ? ["<sip:\(Simulation.proxyAddress);lr>"] : [],
      callID: calling.callID, localTag: calling.tag, cSeq: calling.cSeq, branch: newBranch())
    let refresher = calling.interval == nil ? nil : profile.refresherWish
    let extra = timerRows(interval: calling.interval, refresher: refresher, minSE: calling.minSE)
    calling.invite = start(head, extra: extra, body: anyBody()) { [unowned self] response in
      guard let response, response.status == 422, calling.cSeq < 4, !calling.wantsCancel else { return }
      let least = response.number("min-se") ?? 90
      calling.minSE = max(least, calling.minSE ?? 90)
      calling.interval = max(calling.interval ?? least, least)
      invite()
    }
  }

  func receiveProvisional(_ message: WireMessage, of transaction: UserAgentClientTransaction) {
    guard transaction === calling.invite else { return }
    if calling.wantsCancel { sendCancel() }
    guard plan.updatesEarly, !calling.sentEarlyUpdate, !message.toTag.isEmpty, message.status > 100 else {
      return
    }
    calling.sentEarlyUpdate = true
    refresh(dialog(answeredBy: message))
  }

  /// RFC 3261 §9.1: nothing is cancelled before the first provisional response.
  private func giveUp() {
    guard let invite = calling.invite, !invite.isOver else { return }
    calling.wantsCancel = true
    if invite.hasProvisional { sendCancel() }
  }

  private func sendCancel() {
    guard let invite = calling.invite, !invite.isOver, !calling.sentCancel else { return }
    calling.sentCancel = true
    var head = invite.head
    head.method = "CANCEL"
    start(head) { _ in }
  }

  /// A 2xx to an INVITE of ours: every one gets an ACK, the first of each dialog makes it.
  func acknowledgeSuccess(_ message: WireMessage, of transaction: UserAgentClientTransaction) {
    let dialog = dialog(answeredBy: message)
    if let ack = dialog.acks[message.cSeq] {
      send(ack, to: Simulation.proxyAddress)
      return
    }
    dialog.remoteTarget = message.uri(in: "contact") ?? dialog.remoteTarget
    if !dialog.isConfirmed { dialog.routes = message.rows("record-route").reversed().map(\.value) }
    let head = RequestHead(
      method: "ACK", uri: dialog.remoteTarget, routes: dialog.routes, callID: dialog.callID,
      localTag: dialog.localTag, remoteTag: dialog.remoteTag, cSeq: message.cSeq, branch: newBranch())
    let ack = request(head)
    dialog.acks[message.cSeq] = ack
    send(ack, to: Simulation.proxyAddress)
    guard !dialog.isConfirmed, !dialog.hasEnded else { return }
    let isSecondLeg = dialogs.contains { $0 !== dialog && $0.isConfirmed }
    dialog.isConfirmed = true
    adoptTimer(from: message, in: dialog)
    if calling.wantsCancel || (isSecondLeg && !plan.keepsBothLegs) {
      hangUp(dialog)
    } else {
      talk(in: dialog)
    }
  }

  /// The dialog of a response to an INVITE, made when there is none.
  private func dialog(answeredBy message: WireMessage) -> UserAgentDialog {
    if let known = dialog(of: message) { return known }
    let dialog = UserAgentDialog(
      callID: message.callID, localTag: message.fromTag, remoteTag: message.toTag, isCaller: true,
      remoteTarget: message.uri(in: "contact") ?? calling.target,
      routes: message.rows("record-route").reversed().map(\.value), cSeq: message.cSeq)
    dialogs.append(dialog)
    return dialog
  }

  /// The call is up: what the plan says happens now.
  func talk(in dialog: UserAgentDialog) {
    let hangsUp: Bool
    switch plan.ending {
    case .both: hangsUp = true
    case .caller: hangsUp = dialog.isCaller
    case .callee: hangsUp = !dialog.isCaller
    case .nobody: hangsUp = false
    }
    after(plan.lasts) { [unowned self] in
      if hangsUp {
        hangUp(dialog)
      } else if plan.ending == .nobody {
        die()
      }
    }
    if let span = plan.glareAfter { after(span) { [unowned self] in refresh(dialog) } }
    if random.chance(200) {
      after(random.span(milliseconds: 1000...20000)) { [unowned self] in chat(in: dialog) }
    }
  }

  /// RFC 3261 §15.1.1. Whatever is answered, the dialog is over for us. A callee waits for the ACK (§15).
  func hangUp(_ dialog: UserAgentDialog) {
    guard !dialog.hasEnded else { return }
    if !dialog.isCaller && dialog.isAnswering {
      after(.milliseconds(700)) { [unowned self] in hangUp(dialog) }
      return
    }
    end(dialog)
    start(nextRequest("BYE", in: dialog)) { _ in }
  }

  func end(_ dialog: UserAgentDialog) {
    dialog.hasEnded = true
    dialog.timerEpoch += 1
  }

  /// A request that is no refresh, with fields that mean nothing in it (A2).
  private func chat(in dialog: UserAgentDialog) {
    guard !dialog.hasEnded else { return }
    let rows = ["Session-Expires: 5", "Min-SE: 7"]
    start(nextRequest("INFO", in: dialog), extra: rows, body: anyBody()) { _ in }
  }

  /// The head of the next request within a dialog.
  func nextRequest(_ method: String, in dialog: UserAgentDialog) -> RequestHead {
    dialog.cSeq += 1
    return RequestHead(
      method: method, uri: dialog.remoteTarget, routes: dialog.routes, callID: dialog.callID,
      localTag: dialog.localTag, remoteTag: dialog.remoteTag, cSeq: dialog.cSeq, branch: newBranch())
  }
}
