import AdminHTTP
import Glibc
import Timekeeping

/// One client of the query API: a request comes in, its answer goes out, the connection ends.
///
/// Each stage has a deadline that no byte of the client's moves: whoever sends or takes bytes one by one is
/// cut off as surely as whoever is silent.
final class AdminConnection {
  /// Until when a request must be there, and again how long its answer may take to leave.
  static let longestStage = TimeSpan.seconds(10)
  /// How long the client may take to close its side after the answer.
  static let longestFarewell = TimeSpan.seconds(2)

  private enum Stage { case reading, waiting, answering, closing }

  /// Which of the server's listeners it came in by.
  let listener: Int
  /// Owned: closed in `deinit`.
  private let socket: Int32
  private let loop: EventLoop
  private let respond: AdminServer.Responder
  private let ended: (AdminConnection) -> Void
  private var stage = Stage.reading
  private var reader = RequestReader()
  private var answer: [UInt8] = []
  private var sent = 0
  /// Waits for the socket; which way depends on the stage.
  private var event: LoopEvent?
  private var deadline: LoopEvent?

  /// Takes over a connected socket. `ended` is called once, to let the connection go.
  init(
    _ socket: Int32, listener: Int, loop: EventLoop, respond: @escaping AdminServer.Responder,
    ended: @escaping (AdminConnection) -> Void
  ) throws(EventIOError) {
    self.socket = socket
    self.listener = listener
    self.loop = loop
    self.respond = respond
    self.ended = ended
    let deadline = try loop.timer { [unowned self] in end() }
    self.deadline = deadline
    // Without a deadline nothing would end it.
    guard deadline.arm(after: AdminConnection.longestStage) else {
      throw EventIOError(operation: "arm", errorNumber: ENOMEM, address: "a timer")
    }
    event = try loop.whenReadable(socket) { [unowned self] in receive() }
  }

  deinit {
    // Before the descriptor goes and its number may be another socket's.
    event = nil
    close(socket)
  }

  /// Whether the client has not got its whole answer.
  var isUnanswered: Bool { stage != .closing }

  /// Drops the events, so that nothing calls back while the owner lets go.
  private func end() {
    event = nil
    deadline = nil
    ended(self)
  }

  private func receive() {
    var chunk = [UInt8](repeating: 0, count: 4_096)
    let count = unsafe chunk.withUnsafeMutableBytes { unsafe recv(socket, $0.baseAddress, $0.count, 0) }
    if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
    guard count > 0 else { return end() }
    // Once answered, what still comes is read only so that closing does not reset the answer away.
    guard stage == .reading else { return }
    switch reader.append(chunk[..<count]) {
    case .incomplete: break
    case .request(let request): ask(request)
    case .malformed(let response): send(response, isForHEAD: false)
    }
  }

  /// The answer may take some turns of the loop. The client may be gone by then, or have closed its half only.
  private func ask(_ request: AdminRequest) {
    stage = .waiting
    event = nil
    respond(request) { [weak self] response in
      guard let self, stage == .waiting else { return }
      send(response, isForHEAD: request.method == "HEAD")
    }
  }

  private func send(_ response: AdminResponse, isForHEAD: Bool) {
    stage = .answering
    answer = response.bytes(date: MonotonicClock.httpDate, isForHEAD: isForHEAD)
    deadline?.arm(after: AdminConnection.longestStage)
    event = try? loop.whenWritable(socket) { [unowned self] in transmit() }
    if event == nil { end() }
  }

  private func transmit() {
    let count = unsafe answer.withUnsafeBytes { bytes in
      unsafe Glibc.send(
        socket, bytes.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
    }
    if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
    guard count > 0 else { return end() }
    sent += count
    guard sent == answer.count else { return }
    stage = .closing
    answer = []
    shutdown(socket, Int32(SHUT_WR))
    deadline?.arm(after: AdminConnection.longestFarewell)
    event = try? loop.whenReadable(socket) { [unowned self] in receive() }
    if event == nil { end() }
  }
}
