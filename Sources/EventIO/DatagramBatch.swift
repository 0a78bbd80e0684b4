internal import CSystemShims
import Glibc
public import SIPSyntax

/// The memory that one system call fills with datagrams; one for each worker, reused for every batch.
///
/// 64 slots of 64 KiB are 4 MiB of address space; memory is used only for the pages that datagrams
/// have touched, which is 256 KiB as long as they fit in a page each.
@safe
public final class DatagramBatch {
  /// No UDP payload is longer.
  static let longestDatagram = 65_535
  /// Zeroed bytes behind each slot, so that reading a word at the end of a datagram stays in the slot.
  static let slack = 16
  private static let slot = longestDatagram + slack
  private static let capacity = Int(CK_BATCH)

  /// Owned: allocated in `init`, freed in `deinit`.
  private let buffer: UnsafeMutableBufferPointer<UInt8>
  /// Owned likewise: the headers of the system call, which only a datagram that came changes.
  private let reception: OpaquePointer?
  private var receipts = [ck_receipt](repeating: ck_receipt(), count: DatagramBatch.capacity)
  /// Datagrams in the batch.
  public private(set) var count = 0

  /// An empty batch.
  public init() {
    // calloc: zeroed, and pages that nobody touches stay unmapped.
    let count = DatagramBatch.slot * DatagramBatch.capacity
    let memory = unsafe calloc(count, 1)?.bindMemory(to: UInt8.self, capacity: count)
    unsafe buffer = UnsafeMutableBufferPointer(start: memory, count: memory == nil ? 0 : count)
    unsafe reception = memory.flatMap { unsafe ck_reception_new($0, DatagramBatch.slot) }
  }

  deinit {
    unsafe ck_reception_free(reception)
    unsafe free(buffer.baseAddress)
  }

  /// Fills the batch from a socket; the result is 0 or the errno.
  public func receive(from socket: Int32) -> Int32 {
    count = 0
    guard let reception = unsafe reception else { return ENOMEM }
    let received = unsafe ck_receive_batch(socket, reception, &receipts)
    if received < 0 { return -received }
    count = min(Int(received), DatagramBatch.capacity)
    return 0
  }

  /// Where a datagram came from and which of our addresses it was sent to (nil when the socket does not say).
  public func addresses(of index: Int) -> (remote: SocketAddress, local: IPAddress?) {
    let receipt = receipts[index]
    return (receipt.remote.socketAddress, receipt.local.family == 0 ? nil : receipt.local.ip)
  }

  /// Whether a datagram was longer than its slot.
  public func isTruncated(_ index: Int) -> Bool { receipts[index].truncated != 0 }

  /// Lends the bytes of a datagram.
  @inline(__always)
  public func withDatagram(_ index: Int, _ body: (Span<UInt8>) -> Void) {
    precondition(index >= 0 && index < count)
    let length = min(Int(receipts[index].length), DatagramBatch.longestDatagram)
    let start = index * DatagramBatch.slot
    let bytes = unsafe UnsafeBufferPointer(rebasing: buffer[start..<start + length])
    unsafe body(bytes.span)
  }
}
