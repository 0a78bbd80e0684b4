import ProxyCore
import SIPSyntax
import Timekeeping

/// A request that waits for its final response (RFC 3261 §17.1).
final class UserAgentClientTransaction {
  let branch: String
  let method: String
  let bytes: [UInt8]
  let head: SimulatedUserAgent.RequestHead
  var hasProvisional = false
  var isOver = false
  /// The ACK of a refusal, for its repetitions.
  var ack: [UInt8]?
  /// Told of the final response once, or of the timeout with nil.
  let onFinal: (WireMessage?) -> Void

  init(
    head: SimulatedUserAgent.RequestHead, bytes: [UInt8], onFinal: @escaping (WireMessage?) -> Void
  ) {
    branch = head.branch
    method = head.method
    self.head = head
    self.bytes = bytes
    self.onFinal = onFinal
  }
}

/// A request that was received and what was answered (RFC 3261 §17.2).
final class UserAgentServerTransaction {
  let request: WireMessage
  let source: SocketAddress
  /// The connection it came over.
  let connection: ConnectionID?
  var lastResponse: [UInt8]?
  var status = 0
  var isAcknowledged = false
  /// To tag of our responses.
  var tag = ""

  init(request: WireMessage, source: SocketAddress, connection: ConnectionID?) {
    self.connection = connection
    self.request = request
    self.source = source
  }
}

/// Timers A, B, E, F, G and H, and the repeated 2xx of RFC 3261 §13.3.1.4.
extension SimulatedUserAgent {
  private static let t1 = TimeSpan.milliseconds(500)
  private static let t2 = TimeSpan.seconds(4)
  private static let timeout = TimeSpan.seconds(32)

  /// Sends a request to the proxy and repeats it until something is heard.
  @discardableResult
  func start(
    _ head: RequestHead, extra: [String] = [], body: [UInt8] = [],
    onFinal: @escaping (WireMessage?) -> Void
  ) -> UserAgentClientTransaction {
    let bytes = request(head, extra: extra, body: body)
    let transaction = UserAgentClientTransaction(head: head, bytes: bytes, onFinal: onFinal)
    clients["\(head.branch) \(head.method)"] = transaction
    sendRequest(bytes, to: firstHop(of: head))
    if !profile.usesTCP { repeatRequest(of: transaction, after: Self.t1) }
    let isInvite = head.method == "INVITE"
    after(Self.timeout) {
      guard !transaction.isOver, !(isInvite && transaction.hasProvisional) else { return }
      transaction.isOver = true
      transaction.onFinal(nil)
    }
    return transaction
  }

  private func repeatRequest(of transaction: UserAgentClientTransaction, after span: TimeSpan) {
    guard span < Self.timeout else { return }
    after(span) { [unowned self] in
      let isInvite = transaction.method == "INVITE"
      guard !transaction.isOver, !(isInvite && transaction.hasProvisional) else { return }
      sendRequest(transaction.bytes, to: firstHop(of: transaction.head))
      repeatRequest(of: transaction, after: isInvite ? span * 2 : min(span * 2, Self.t2))
    }
  }

  func receiveResponse(_ message: WireMessage) {
    guard let branch = message.branches.first, message.branches.count == 1,
      let transaction = clients["\(branch) \(message.cSeqMethod)"]
    else { return }
    let isInvite = transaction.method == "INVITE"
    if message.status < 200 {
      transaction.hasProvisional = true
      if isInvite { receiveProvisional(message, of: transaction) }
      return
    }
    if isInvite && message.status < 300 {
      acknowledgeSuccess(message, of: transaction)
    } else if isInvite {
      acknowledgeRefusal(message, of: transaction)
    }
    guard !transaction.isOver else { return }
    transaction.isOver = true
    transaction.onFinal(message)
  }

  /// RFC 3261 §17.1.1.3: the ACK of a refusal goes the INVITE's way.
  private func acknowledgeRefusal(_ message: WireMessage, of transaction: UserAgentClientTransaction) {
    var head = transaction.head
    head.method = "ACK"
    head.remoteTag = message.toTag
    let ack = transaction.ack ?? request(head)
    transaction.ack = ack
    if !plan.forgetsAcks { sendRequest(ack, to: firstHop(of: head)) }
  }

  /// Answers a request; a final answer to INVITE is repeated until its ACK comes.
  func answer(
    _ transaction: UserAgentServerTransaction, _ status: Int, _ reason: String, extra: [String] = [],
    body: [UInt8] = [], onLostAck: @escaping () -> Void = {}
  ) {
    guard transaction.status < 200 else { return }
    let tag = status == 100 ? nil : transaction.tag
    let bytes = response(
      status, reason, to: transaction.request, tag: tag, extra: extra, body: body)
    transaction.lastResponse = bytes
    transaction.status = status
    sendResponse(bytes, of: transaction)
    guard transaction.request.method == "INVITE", status >= 200 else { return }
    // A stream loses nothing, but somebody behind it may: only a 2xx is repeated over it (RFC 3261 §13.3.1.4).
    if transaction.connection == nil || status < 300 {
      repeatFinal(of: transaction, bytes, after: Self.t1)
    }
    after(Self.timeout) {
      if !transaction.isAcknowledged { onLostAck() }
    }
    after(Self.timeout) { transaction.isAcknowledged = true }
  }

  private func repeatFinal(
    of transaction: UserAgentServerTransaction, _ bytes: [UInt8], after span: TimeSpan
  ) {
    after(span) { [unowned self] in
      guard !transaction.isAcknowledged else { return }
      sendResponse(bytes, of: transaction)
      repeatFinal(of: transaction, bytes, after: min(span * 2, Self.t2))
    }
  }

  /// Finds the transaction of a request, or opens it; nil when it is a repetition and was dealt with.
  func open(_ message: WireMessage, from source: SocketAddress) -> UserAgentServerTransaction? {
    let key = "\(message.branches.first ?? "") \(message.method ?? "")"
    if let known = servers[key] {
      let isRepeatedByTimer = message.method == "INVITE" && known.status >= 200 && known.status < 300
      if let response = known.lastResponse, !isRepeatedByTimer { sendResponse(response, of: known) }
      return nil
    }
    let transaction = UserAgentServerTransaction(request: message, source: source, connection: arrivedOver)
    transaction.tag = message.toTag.isEmpty ? "t\(name)\(random.number(0...999_999))" : message.toTag
    servers[key] = transaction
    return transaction
  }
}
