import ProxyCore
import SIPSyntax
import Timekeeping

/// One dialog as a user agent sees it (RFC 3261 §12).
final class UserAgentDialog {
  let callID: String
  let localTag: String
  let remoteTag: String
  let isCaller: Bool
  var remoteTarget: String
  /// Route values in the order to write them.
  var routes: [String]
  var cSeq: Int
  var isConfirmed = false
  var hasEnded = false
  /// A refresh of ours has no final response yet.
  var isRefreshing = false
  /// A re-INVITE of the other side has no ACK yet.
  var isAnswering = false
  /// Our ringing has no PRACK yet (RFC 3262 §3).
  var awaitsPrack = false
  /// RSeq of the ringing that had our PRACK.
  var acknowledgedRSeq = 0
  /// RFC 4028 §7.4: the session interval that runs, and the largest Min-SE of any 422.
  var interval: Int?
  var minSE: Int?
  /// Counts session timers, so that a replaced one does nothing.
  var timerEpoch = 0
  /// The ACK of each 2xx, by the INVITE's number, for its repetitions.
  var acks: [Int: [UInt8]] = [:]

  init(
    callID: String, localTag: String, remoteTag: String, isCaller: Bool, remoteTarget: String,
    routes: [String], cSeq: Int
  ) {
    self.callID = callID
    self.localTag = localTag
    self.remoteTag = remoteTag
    self.isCaller = isCaller
    self.remoteTarget = remoteTarget
    self.routes = routes
    self.cSeq = cSeq
  }
}

/// A user agent of one call that follows RFC 3261 as far as a proxy can tell, and RFC 4028 §7, §9, §10.
///
/// The extensions hold its trades: messages, transactions, calling, answering, session timers.
final class SimulatedUserAgent: SimulatedEndpoint {
  let name: String
  let address: SocketAddress
  let profile: UserAgentProfile
  let plan: CallPlan
  unowned let world: Simulation
  var random: SeededGenerator
  private(set) var isAlive = true
  /// Counts restarts: what was begun in an earlier life is not continued.
  private var life = 0
  var dialogs: [UserAgentDialog] = []
  /// By branch and method.
  var clients: [String: UserAgentClientTransaction] = [:]
  var servers: [String: UserAgentServerTransaction] = [:]
  /// The first INVITE's state as caller.
  var calling = CallingState()
  private var branchCount = 0
  /// The connection to the proxy that we opened, if we speak TCP.
  private var connection: ConnectionID?
  /// The connection of the message that just arrived.
  private(set) var arrivedOver: ConnectionID?

  /// What a caller remembers of its first INVITE.
  struct CallingState {
    var callID = ""
    var tag = ""
    var target = ""
    var cSeq = 0
    var interval: Int?
    var minSE: Int?
    var invite: UserAgentClientTransaction?
    var isAuthorized = false
    var wantsCancel = false
    var sentCancel = false
    var sentEarlyUpdate = false
  }

  init(
    name: String, address: SocketAddress, profile: UserAgentProfile, plan: CallPlan, world: Simulation,
    random: SeededGenerator
  ) {
    self.name = name
    self.address = address
    self.profile = profile
    self.plan = plan
    self.world = world
    self.random = random
    world.add(self)
  }

  var isListening: Bool { isAlive }

  /// Ends without a word.
  func die() {
    isAlive = false
    world.breakConnections(of: address)
  }

  /// Starts again with nothing in memory.
  func restart() {
    life += 1
    dialogs = []
    clients = [:]
    servers = [:]
    calling = CallingState()
    world.breakConnections(of: address)
  }

  /// Lets something happen later, if the agent lives and remembers it then.
  func after(_ span: TimeSpan, _ action: @escaping () -> Void) {
    let life = life
    world.after(span) { [unowned self] in
      if isAlive && self.life == life { action() }
    }
  }

  func sendRequest(_ bytes: [UInt8], to receiver: SocketAddress) {
    if profile.usesTCP {
      world.send(bytes, over: openConnection())
    } else {
      world.send(bytes, from: address, to: receiver)
    }
  }

  /// A response takes the connection of its request, or another one when that is broken (RFC 3261 §18.2.2).
  func sendResponse(_ bytes: [UInt8], of transaction: UserAgentServerTransaction) {
    if let connection = transaction.connection {
      world.send(bytes, over: world.isOpen(connection) ? connection : openConnection())
    } else {
      world.send(bytes, from: address, to: transaction.source)
    }
  }

  /// Our connection to the proxy, a new one when the last is broken.
  private func openConnection() -> ConnectionID {
    if let connection, world.isOpen(connection) { return connection }
    let opened = world.connect(from: address)
    connection = opened
    return opened
  }

  /// Where a request goes first: its first Route, or the proxy we are told to use.
  func firstHop(of head: RequestHead) -> SocketAddress {
    head.routes.first.flatMap { Simulation.address(inRoute: $0) } ?? Simulation.proxyAddress
  }

  /// A branch parameter that nobody used before.
  func newBranch() -> String {
    branchCount += 1
    return "z9hG4bK-\(name)-\(branchCount)"
  }

  func receive(_ message: WireMessage, from source: SocketAddress, over connection: ConnectionID) {
    arrivedOver = connection
    receive(message, from: source)
    arrivedOver = nil
  }

  func receive(_ message: WireMessage, from source: SocketAddress) {
    guard isAlive else { return }
    switch message.method {
    case nil: receiveResponse(message)
    case "ACK": receiveAck(message)
    default: receiveRequest(message, from: source)
    }
  }

  /// The dialog a request or response belongs to, whichever side its tags are written from.
  func dialog(of message: WireMessage) -> UserAgentDialog? {
    let isRequest = message.method != nil
    let local = isRequest ? message.toTag : message.fromTag
    let remote = isRequest ? message.fromTag : message.toTag
    return dialogs.first { $0.callID == message.callID && $0.localTag == local && $0.remoteTag == remote }
  }
}
