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

  /// Asks something before the call, outside any dialog.
  func greet(_ target: String, by method: String, callID: String) {
    let head = RequestHead(
      method: method, uri: target, routes: preloadedRoutes, callID: callID, localTag: "g\(name)", cSeq: 1,
      branch: newBranch())
    start(head, body: anyBody()) { _ in }
  }

  private var preloadedRoutes: [String] {
    let transport = profile.usesTCP ? ";transport=tcp" : ""
    return profile.preloadsRoute ? ["<sip:\(Simulation.proxyAddress)\(transport);lr>"] : []
  }

  /// Sends the first INVITE, or the next after a 422 (RFC 4028 §7.3, A59).
  private func invite() {
    calling.cSeq += 1
    calling.tag = "f\(name)\(calling.cSeq)"
    let head = RequestHead(
      method: "INVITE", uri: calling.target,
      routes: preloadedRoutes, callID: calling.callID, localTag: calling.tag, cSeq: calling.cSeq,
      branch: newBranch())
    let refresher = calling.interval == nil ? nil : profile.refresherWish
    var extra = timerRows(interval: calling.interval, refresher: refresher, minSE: calling.minSE)
    if calling.isAuthorized { extra.append("Authorization: Digest username=\"\(name)\", realm=\"r\"") }
    calling.invite = start(head, extra: extra, body: anyBody()) { [unowned self] response in
      if let response, !calling.wantsCancel { tryAgain(after: response) }
    }
  }

  /// RFC 4028 §7.3, RFC 3261 §8.1.3.5: a better INVITE may succeed.
  private func tryAgain(after response: WireMessage) {
    guard calling.cSeq < 5 else { return }
    switch response.status {
    case 422:
      let least = response.number("min-se") ?? 90
      if !profile.isStubborn {
        calling.minSE = max(least, calling.minSE ?? 90)
        calling.interval = max(calling.interval ?? least, least)
      }
      invite()
    case 401,
      407 where !calling.isAuthorized:
      calling.isAuthorized = true
      invite()
    default: break
    }
  }

  func receiveProvisional(_ message: WireMessage, of transaction: UserAgentClientTransaction) {
    guard transaction === calling.invite else { return }
    if calling.wantsCancel { sendCancel() }
    guard !message.toTag.isEmpty, message.status > 100 else { return }
    let dialog = dialog(answeredBy: message)
    acknowledgeRinging(message, in: dialog)
    if plan.updatesEarly && !calling.sentEarlyUpdate {
      calling.sentEarlyUpdate = true
      refresh(dialog)
    }
  }

  /// RFC 3262 §4: one PRACK for each reliable response.
  private func acknowledgeRinging(_ message: WireMessage, in dialog: UserAgentDialog) {
    guard message.lists("100rel", in: "require"), let number = message.number("rseq"),
      number > dialog.acknowledgedRSeq, !dialog.hasEnded
    else { return }
    dialog.acknowledgedRSeq = number
    let row = "RAck: \(number) \(message.cSeq) INVITE"
    start(nextRequest("PRACK", in: dialog), extra: [row]) { _ in }
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
      sendAck(ack, in: dialog)
      return
    }
    dialog.remoteTarget = message.uri(in: "contact") ?? dialog.remoteTarget
    if !dialog.isConfirmed { dialog.routes = message.rows("record-route").reversed().map(\.value) }
    let head = RequestHead(
      method: "ACK", uri: dialog.remoteTarget, routes: dialog.routes, callID: dialog.callID,
      localTag: dialog.localTag, remoteTag: dialog.remoteTag, cSeq: message.cSeq, branch: newBranch())
    let ack = request(head)
    dialog.acks[message.cSeq] = ack
    sendAck(ack, in: dialog)
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

  private func sendAck(_ ack: [UInt8], in dialog: UserAgentDialog) {
    guard !plan.forgetsAcks else { return }
    let first = dialog.routes.first.flatMap { Simulation.address(inRoute: $0) }
    sendRequest(ack, to: first ?? Simulation.proxyAddress)
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
    for move in plan.moves where move.isCallers == dialog.isCaller {
      after(move.after) { [unowned self] in
        switch move.kind {
        case .refresh: refresh(dialog)
        case .hangUp: hangUp(dialog)
        case .request(let method): chat(method, in: dialog)
        }
      }
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
  private func chat(_ method: String, in dialog: UserAgentDialog) {
    guard !dialog.hasEnded else { return }
    let rows = ["Session-Expires: 5", "Min-SE: 7"]
    start(nextRequest(method, in: dialog), extra: rows, body: anyBody()) { _ in }
  }

  /// The head of the next request within a dialog.
  func nextRequest(_ method: String, in dialog: UserAgentDialog) -> RequestHead {
    dialog.cSeq += 1
    return RequestHead(
      method: method, uri: dialog.remoteTarget, routes: dialog.routes, callID: dialog.callID,
      localTag: dialog.localTag, remoteTag: dialog.remoteTag, cSeq: dialog.cSeq, branch: newBranch())
  }
}
