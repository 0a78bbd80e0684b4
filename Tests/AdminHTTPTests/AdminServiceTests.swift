import PagedStorage
import SIPSyntax
import SessionTimers
import Testing
import Timekeeping

@testable import AdminHTTP
@testable import CallState
@testable import ProxyCore

/// A table that is written down.
private struct ScriptedTable: DialogSource {
  var views: [DialogView] = []
  var reports: [DecisionReport] = []

  func dialogs(from cursor: UInt32, limit: Int, at now: MonotonicInstant) -> DialogPage {
    let rest = views.drop { $0.id.index < cursor }
    return DialogPage(dialogs: Array(rest.prefix(limit)), next: rest.dropFirst(limit).first?.id.index)
  }

  func dialog(_ id: UInt64, at now: MonotonicInstant) -> DialogView? { views.first { $0.publicID == id } }

  func decisions(callID: [UInt8], from cursor: UInt32, at now: MonotonicInstant) -> DecisionPage {
    DecisionPage(reports: callID == Array("known@host".utf8) ? reports : [], next: cursor == 0 ? 8 : nil)
  }
}

private func view(_ index: UInt32, early: Bool = false) -> DialogView {
  DialogView(
    id: SlabID(index: index, generation: 1),
    text: DialogView.Text(
      callID: Array("call-\(index)".utf8), callerTag: Array("a\u{1}".utf8), calleeTag: Array("b".utf8),
      callerContact: Array("sip:a@192.0.2.1".utf8), calleeContact: Array("sip:b@192.0.2.2".utf8)),
    state: early ? .early : .confirmed, interval: early ? nil : DeltaSeconds(1800),
    refresher: early ? nil : .callee, expiresIn: early ? nil : 1700, age: 100, confirmedAge: nil,
    callerCSeq: 1, calleeCSeq: 0, callerTransport: 0, calleeTransport: 0, isAdopted: false, isCapped: false,
    decisions: [])
}

@Suite("The query API")
struct AdminServiceTests {
  private func ask(
    _ target: String, method: String = "GET", draining: Bool = false, table: ScriptedTable = ScriptedTable()
  ) -> (status: Int, body: String) {
    var facts = MetricsTests.facts()
    facts.isDraining = draining
    facts.counters[0].set(.dialogsTimed, to: 5)
    facts.counters[0].set(.dialogsUntimed, to: 2)
    facts.counters[0].set(.dialogsEarly, to: 1)
    let response = AdminService.respond(
      to: AdminRequest(method: method, target: target), with: facts, asking: table)
    return (response.status, String(decoding: response.body, as: UTF8.self))
  }

  @Test("The count says active, early, timed and untimed, and active is the sum of the last two")
  func count() {
    let answer = ask("/dialogs/count")
    #expect(answer.status == 200)
    #expect(answer.body == "{\"active\":7,\"early\":1,\"timed\":5,\"untimed\":2}\n")
  }

  @Test("A dialog is told with every field of the contract")
  func oneDialog() {
    let id: UInt64 = 7 << 32 | 1
    let answer = ask("/dialogs/\(id)", table: ScriptedTable(views: [view(7)]))
    #expect(answer.status == 200)
    #expect(
      answer.body == #"{"id":"30064771073","call_id":"call-7","caller_tag":"a\u0001","callee_tag":"b","#
        + #""caller":"sip:a@192.0.2.1","callee":"sip:b@192.0.2.2","state":"confirmed","interval":1800,"#
        + #""refresher":"callee","expires_in":1700,"created":1699999990}"# + "\n")
    let early = ask("/dialogs/\(id)", table: ScriptedTable(views: [view(7, early: true)])).body
    #expect(early.contains(#""state":"early","interval":null,"refresher":null,"expires_in":null"#))
  }

  @Test("What is not known is null, and no session is said to outlive its interval")
  func unknown() {
    var dialog = view(7)
    dialog.text.calleeContact = []
    dialog.expiresIn = 1801
    let body = ask("/dialogs/\(7 << 32 | 1)", table: ScriptedTable(views: [dialog])).body
    #expect(body.contains(#""callee":null"#) && body.contains(#""interval":1800"#))
    #expect(body.contains(#""expires_in":1800"#))
  }

  @Test("Pages follow each other by their cursor until it is null")
  func paging() {
    let table = ScriptedTable(views: (1...5).map { view($0) })
    #expect(ask("/dialogs?limit=2", table: table).body.hasSuffix("],\"cursor\":\"3\"}\n"))
    #expect(ask("/dialogs?cursor=3&limit=2", table: table).body.hasSuffix("],\"cursor\":\"5\"}\n"))
    let last = ask("/dialogs?limit=2&cursor=5", table: table).body
    #expect(last.hasPrefix("{\"dialogs\":[{\"id\":\"21474836481\"") && last.hasSuffix("],\"cursor\":null}\n"))
    #expect(ask("/dialogs").body == "{\"dialogs\":[],\"cursor\":null}\n")
  }

  @Test("A page has 100 dialogs unless asked otherwise and never more than 1,000")
  func pageLength() {
    let table = ScriptedTable(views: (1...1_500).map { view($0) })
    #expect(ask("/dialogs", table: table).body.hasSuffix("\"cursor\":\"101\"}\n"))
    #expect(ask("/dialogs?limit=99999", table: table).body.hasSuffix("\"cursor\":\"1001\"}\n"))
  }

  @Test("Why tells each decision with its clause and the section it follows")
  func why() {
    let clause = Clause.a22
    let decision = SessionTimerDecision(
      clause: clause, valueIn: DeltaSeconds(60), valueOut: DeltaSeconds(90), isUpdate: false,
      fromCaller: true,
      atSecond: 2)
    let table = ScriptedTable(reports: [DecisionReport(decision, dialog: nil, now: 5)])
    let answer = ask("/why?call-id=known%40host", table: table)
    #expect(answer.status == 200)
    #expect(answer.body.hasPrefix(#"{"call_id":"known@host","decisions":[{"dialog":null,"clause":"A22","#))
    #expect(answer.body.contains(clause.citation))
    #expect(
      answer.body.hasSuffix(
        #""request":"INVITE","from":"caller","value_in":60,"value_out":90,"age":3}],"cursor":"8"}"# + "\n"))
    let rest = ask("/why?call-id=other&cursor=8", table: table).body
    #expect(rest == "{\"call_id\":\"other\",\"decisions\":[],\"cursor\":null}\n")
  }

  static let refusals: [(target: String, status: Int)] = [
    ("/", 404), ("/nothing", 404), ("/dialogs/1/2", 404), ("/dialogs/12", 404), ("/stats/x", 404), ("", 404),
    ("/dialogs/x", 400), ("/dialogs/99999999999999999999999", 400), ("/dialogs?limit=0", 400),
    ("/dialogs?limit=-1", 400), ("/dialogs?limit=ten", 400), ("/dialogs?cursor=x", 400), ("/why", 400),
    ("/why?call-id=x&cursor=-1", 400), ("/dialogs?cursor=4294967296", 400),
    ("/why?call-id=", 400), ("/why?call_id=x", 400),
  ]

  @Test("What cannot be answered is refused with a reason in JSON", arguments: refusals)
  func refusal(_ row: (target: String, status: Int)) {
    let answer = ask(row.target)
    #expect(answer.status == row.status)
    #expect(answer.body.hasPrefix("{\"error\":\"") && answer.body.hasSuffix("\"}\n"))
  }

  @Test("Only GET and HEAD are served")
  func methods() {
    #expect(ask("/stats", method: "HEAD").status == 200)
    #expect(ask("/stats", method: "POST").status == 405)
    #expect(ask("/dialogs/count", method: "DELETE").status == 405)
  }

  @Test("While draining the process is healthy but not ready")
  func draining() {
    #expect(ask("/healthz", draining: true).status == 200)
    #expect(ask("/readyz", draining: true).status == 503)
    #expect(ask("/readyz").body == "{\"status\":\"ready\"}\n")
  }

  @Test("The statistics name every counter and gauge")
  func statistics() {
    let body = ask("/stats").body
    for counter in Counter.allCases { #expect(body.contains("\"\(counter.snakeCase)\":0")) }
    for gauge in Gauge.allCases { #expect(body.contains("\"\(gauge.snakeCase)\":")) }
  }

  @Test("A plus sign in a Call-ID stays one, and broken percent signs stay as they are")
  func decoding() {
    let request = AdminRequest(method: "GET", target: "/why?call-id=a+b%zz%4&x=%00%FF")
    #expect(request.value(of: "call-id") == Array("a+b%zz%4".utf8))
    #expect(request.value(of: "x") == [0x00, 0xFF])
  }
}
