import ProxyCore
import ProxySimulation
import SIPSyntax
import Testing
import Timekeeping

@Suite("RFC 3261 §16.9, §17.1.4; RFC 6026 §8.8: the system refuses to send")
struct TransportFailureTests {
  /// B93, B80, C25: as if 503 had been received, and a lone 503 goes up as 500.
  @Test("A request that cannot be sent is answered 500 at once", arguments: ["INVITE", "OPTIONS"])
  func refusedRequest(method: String) throws {
    try withStage { stage in
      let forwarded = try #require(stage.alice(.request(method)).first)
      let answers = stage.driver.refuse(forwarded)
      let answer = try #require(answers.first)
      #expect(answers.count == 1)
      #expect(answer.status == 500)
      #expect(answer.destination == Place.alice)
      if method == "INVITE" { stage.acknowledge(answer) }
    }
  }

  /// C25: nothing is repeated to a destination that was refused, and a second report changes nothing.
  @Test("A refused branch is over")
  func refusedBranchIsOver() throws {
    try withStage { stage in
      let forwarded = try #require(stage.alice(.request("OPTIONS")).first)
      stage.driver.refuse(forwarded)
      #expect(stage.driver.refuse(forwarded).isEmpty)
      #expect(stage.wait(.seconds(5)).isEmpty)
    }
  }

  /// B94, C35, D23: a response that cannot be sent ends nothing; the client asks again and gets it.
  @Test("A response that cannot be sent has no ticket, and its transaction stays")
  func refusedResponse() throws {
    try withStage { stage in
      let forwarded = try #require(stage.alice(.request("OPTIONS")).first)
      let answer = try #require(stage.bob(.answer(200, to: forwarded)).first)
      #expect(answer.ticket == nil)
      let again = try #require(stage.alice(.request("OPTIONS")).first)
      #expect(again.bytes == answer.bytes)
    }
  }
}
