import Timekeeping

/// RFC 4028 from the ends: what a UAC asks (§7), what a UAS answers (§9), who refreshes and who gives up (§10).
extension SimulatedUserAgent {
  private var supportedName: String { profile.usesCompactForms ? "k" : "Supported" }
  private var sessionExpiresName: String { profile.usesCompactForms ? "x" : "Session-Expires" }

  // MARK: Asking

  /// The rows of a refresh request (§7.1, §7.4).
  func timerRows(interval: Int?, refresher: String?, minSE: Int?) -> [String] {
    let reliability = profile.supportsReliability ? " , 100rel" : ""
    guard profile.supportsTimer else { return ["\(supportedName): replaces\(reliability)"] }
    var rows = ["\(supportedName): replaces\(reliability) , timer"]
    if let interval {
      rows.append("\(sessionExpiresName): \(interval)\(refresher.map { " ;refresher=\($0)" } ?? "")")
    }
    if let minSE { rows.append("Min-SE: \(minSE)") }
    return rows
  }

  /// Takes over the session timer of a 2xx we received (§7.2).
  func adoptTimer(from response: WireMessage, in dialog: UserAgentDialog) {
    guard profile.supportsTimer else { return }
    let refresher = response.parameter("refresher", of: "session-expires")
    runTimer(response.number("session-expires"), localRefreshes: refresher != "uas", in: dialog)
  }

  /// Sends a refresh by the means of our choice (§7.4); waits while another one is under way.
  func refresh(_ dialog: UserAgentDialog) {
    guard !dialog.hasEnded else { return }
    if dialog.isRefreshing || dialog.isAnswering {
      after(random.span(milliseconds: 1000...3000)) { [unowned self] in
        if !dialog.isRefreshing { refresh(dialog) }
      }
      return
    }
    dialog.isRefreshing = true
    let isUpdate = profile.refreshesByUpdate || !dialog.isConfirmed
    // Now and then a refresh that says nothing about intervals: the proxy asks again (A22).
    let interval = random.chance(100) ? nil : dialog.interval ?? (random.chance(500) ? profile.interval : nil)
    let rows = timerRows(
      interval: interval, refresher: interval == nil ? nil : "uac", minSE: dialog.minSE)
    let body = isUpdate ? [] : anyBody()
    start(nextRequest(isUpdate ? "UPDATE" : "INVITE", in: dialog), extra: rows, body: body) {
      [unowned self] response in
      dialog.isRefreshing = false
      if !dialog.hasEnded { refreshed(dialog, response) }
    }
  }

  /// The end of a refresh (§7.3, §10).
  private func refreshed(_ dialog: UserAgentDialog, _ response: WireMessage?) {
    switch response?.status {
    case .some(200..<300):
      guard let response, dialog.isConfirmed else { return }
      dialog.remoteTarget = response.uri(in: "contact") ?? dialog.remoteTarget
      adoptTimer(from: response, in: dialog)
    case 422:
      let least = response?.number("min-se") ?? 90
      dialog.minSE = max(least, dialog.minSE ?? 90)
      dialog.interval = max(dialog.interval ?? least, least)
      refresh(dialog)
    case nil, 408, 481:
      if dialog.isConfirmed { hangUp(dialog) }
    case 491:
      after(random.span(milliseconds: 10...4000)) { [unowned self] in refresh(dialog) }
    default:
      break
    }
  }

  // MARK: Answering

  /// Min-SE of our 422, when the interval asked for is too small for us (§9).
  func refusalOfInterval(in request: WireMessage) -> String? {
    guard profile.supportsTimer, request.lists("timer", in: "supported"),
      let interval = request.number("session-expires"), interval < profile.minSE
    else { return nil }
    return "Min-SE: \(profile.minSE)"
  }

  /// Table 2 of §9: interval and refresher of our 2xx.
  func timerOfAnswer(to request: WireMessage) -> (rows: [String], interval: Int?, refresher: String?) {
    guard profile.supportsTimer else { return ([], nil, nil) }
    let callerKnows = request.lists("timer", in: "supported")
    guard let asked = request.number("session-expires") ?? profile.interval else { return ([], nil, nil) }
    let least = max(90, request.number("min-se") ?? 90)
    // Never above what was asked for, never below the request's Min-SE.
    let interval = max(min(asked, profile.interval ?? asked), min(least, asked))
    let wished = request.parameter("refresher", of: "session-expires") ?? profile.refresherWish ?? "uac"
    let refresher = callerKnows ? wished : "uas"
    var rows = ["\(sessionExpiresName): \(interval);refresher=\(refresher)"]
    if refresher == "uac" { rows.append("Require: timer") }
    return (rows, interval, refresher)
  }

  // MARK: Running

  /// Starts the timer anew, or switches it off (§10): the refresher refreshes at half the interval; both sides
  /// hang up shortly before the end when nothing has happened.
  func runTimer(_ interval: Int?, localRefreshes: Bool, in dialog: UserAgentDialog) {
    dialog.timerEpoch += 1
    dialog.interval = interval
    guard let interval, !dialog.hasEnded else { return }
    let epoch = dialog.timerEpoch
    if localRefreshes {
      after(.milliseconds(Int64(interval) * 500)) { [unowned self] in
        if dialog.timerEpoch == epoch { refresh(dialog) }
      }
    }
    let end = TimeSpan.milliseconds(Int64(interval) * 1000 - min(32_000, Int64(interval) * 1000 / 3))
    after(end) { [unowned self] in
      if dialog.timerEpoch == epoch { hangUp(dialog) }
    }
  }
}
