/// The answer to one request.
public struct AdminResponse: Sendable, Equatable {
  /// HTTP status code.
  public var status: Int
  /// Value of the Content-Type field.
  public var contentType: String
  /// The body.
  public var body: [UInt8]

  /// An answer with its body whole.
  public init(status: Int, contentType: String, body: [UInt8]) {
    self.status = status
    self.contentType = contentType
    self.body = body
  }

  /// The words behind the status code.
  public var reason: String {
    switch status {
    case 200: "OK"
    case 400: "Bad Request"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 431: "Request Header Fields Too Large"
    case 503: "Service Unavailable"
    case 505: "HTTP Version Not Supported"
    default: "Error"
    }
  }

  /// An answer in JSON.
  static func json(
    status: Int = 200, capacity: Int = 0, _ write: (inout JSONWriter) -> Void
  ) -> AdminResponse {
    var writer = JSONWriter(capacity: capacity)
    writer.object(write)
    writer.endLine()
    return AdminResponse(status: status, contentType: "application/json", body: writer.bytes)
  }

  /// A refusal that says why.
  static func refusal(_ status: Int, _ reason: String) -> AdminResponse {
    json(status: status) { $0.field("error", reason) }
  }
}
