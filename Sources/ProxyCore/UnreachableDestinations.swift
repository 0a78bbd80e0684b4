// RFC 3261 sections 17.1.4 and 18.4: an ICMP error says that a datagram did not arrive (D24, C25).
//
// Left open: how an error finds its transaction, since it quotes no more than the start of a datagram. The top Via of
// a request that we sent ends in a branch of ours, which names the client transaction and carries our MAC. Nothing
// else in the quotation is believed, because anybody can send an ICMP packet.

import PagedStorage
import SIPSyntax
import Timekeeping

extension ProxyEngine {
  /// Fails the branch whose request is quoted, as if it could not have been sent; any other quotation changes
  /// nothing. An INVITE that was answered provisionally goes on (C25): the error is older than that answer.
  mutating func destinationUnreachable(
    quoting datagram: Span<UInt8>, _ now: MonotonicInstant, _ bench: inout Workbench,
    into outbox: inout Outbox
  ) {
    guard let request = QuotedRequest(datagram), var branch = branches.read(request.branch, in: datagram),
      clients.slab.isLive(branch)
    else { return }
    if request.isCancel, clients.slab[branch.index].method == .invite {
      // A CANCEL has its INVITE's branch; what it cancels may well be reachable.
      branch = clients.slab[branch.index].counterpart
      guard clients.slab.isLive(branch) else { return }
    }
    // A stream has its own way to fail.
    guard receivesDatagrams(clients.slab[branch.index].flow.listener) else { return }
    counters.add(to: .branchesUnreachable)
    sendFailed(SendTicket(branch: branch), isLocal: false, now, &bench, into: &outbox)
  }
}

/// The start of a request that we wrote, cut anywhere: just enough of it to find its transaction.
struct QuotedRequest {
  /// The branch of the topmost Via.
  let branch: ByteRange
  /// Whether the method is CANCEL.
  let isCancel: Bool

  /// Nil for responses, and when the quotation ends before the branch does.
  init?(_ bytes: Span<UInt8>) {
    guard !bytes.hasPrefix("SIP/2.0 ", at: 0) else { return nil }
    isCancel = bytes.hasPrefix("CANCEL ", at: 0)
    var line = bytes.endOfLine(from: 0) + 2
    // Rows that stood in front of the first Via stay there; an empty line ends the header section.
    while line < bytes.count, !bytes.hasPrefix("\r\n", at: line) {
      let end = bytes.endOfLine(from: line)
      if bytes.hasPrefix("Via: ", at: line) {
        // RequestForwarding writes the branch as the last parameter.
        guard let parameter = (line..<end).first(where: { bytes.hasPrefix(";branch=", at: $0) }) else {
          return nil
        }
        branch = ByteRange(parameter + 8, end)
        return
      }
      line = end + 2
    }
    return nil
  }
}

extension Span<UInt8> {
  /// Whether `text` stands at an offset.
  fileprivate func hasPrefix(_ text: StaticString, at offset: Int) -> Bool {
    let length = text.utf8CodeUnitCount
    return offset + length <= count && equalsIgnoringCase(ByteRange(offset, offset + length), text)
  }

  /// Offset of the next CR LF, or of the end.
  fileprivate func endOfLine(from start: Int) -> Int {
    var position = start
    while position < count, self[position] != 13 || position + 1 >= count || self[position + 1] != 10 {
      position += 1
    }
    return position
  }
}
