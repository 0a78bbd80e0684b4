import CallState
import ProxyCore
import ProxySimulation
import Testing
import Timekeeping

/// The server side of every other request as its client sees it.
@Suite("RFC 3261 §17.2.2, RFC 4320: non-INVITE transactions on the wire")
struct NonInviteServerTests {
  /// C40, C41, C42, C10, C38: repeated until Timer J, one final and no other.
  @Test("A retransmitted request gets the final response again, for 32 seconds", arguments: [200, 404, 500])
  func completed(status: Int) throws {
    try withStage { stage in
      let message = try #require(stage.alice(.request("MESSAGE")).first)
      #expect(stage.alice(.request("MESSAGE")).isEmpty)
      let final = try #require(stage.bob(.answer(status, to: message)).first)
      for other in [200, 404, 200] { #expect(stage.bob(.answer(other, to: message)).isEmpty) }
      #expect(stage.alice(.request("MESSAGE")).map(\.bytes) == [final.bytes])
      stage.wait(.milliseconds(31_900))
      #expect(stage.alice(.request("MESSAGE")).map(\.bytes) == [final.bytes])
      stage.wait(.milliseconds(100 + 256))
      #expect(stage.driver.proxy.serverTransactionCount == 0)
      #expect(stage.driver.proxy.storedTransactionBytes == 0)
      #expect(stage.alice(.request("MESSAGE")).map(\.method) == ["MESSAGE"])  // A new one.
    }
  }

  /// C11, C38: the client side waits T4 for repetitions and then is gone.
  @Test("The branch ends five seconds after its final response")
  func branchEnds() throws {
    try withStage { stage in
      let message = try #require(stage.alice(.request("MESSAGE")).first)
      stage.bob(.answer(200, to: message))
      stage.wait(.milliseconds(4900))
      #expect(stage.driver.proxy.clientTransactionCount == 1)
      stage.wait(.milliseconds(100 + 256))
      #expect(stage.driver.proxy.clientTransactionCount == 0)
    }
  }

  /// B68: the final response came after the server transaction had ended.
  @Test("A response whose server transaction is gone is not forwarded")
  func serverGone() throws {
    try withStage { stage in
      let message = try #require(stage.alice(.request("MESSAGE")).first)
      stage.wait(.seconds(33))
      #expect(stage.bob(.answer(200, to: message)).isEmpty)
      stage.wait(.seconds(10))
      #expect(stage.driver.proxy.serverTransactionCount == 0)
    }
  }

  /// C43, C44: RFC 4320 §4.1 allows 100 alone, and an early one of the next hop is not passed on.
  @Test("No provisional response to a non-INVITE is forwarded", arguments: [100, 101, 180, 183, 199])
  func provisional(status: Int) throws {
    try withStage { stage in
      let message = try #require(stage.alice(.request("SUBSCRIBE")).first)
      #expect(stage.bob(.answer(status, to: message)).isEmpty)
      #expect(stage.counts.total == 0)
      #expect(stage.bob(.answer(200, to: message)).map(\.status) == [200])
    }
  }

  /// B4, C41: our own final answers are repeated like any other.
  @Test("An answer of ours is repeated for a retransmission")
  func ownAnswer() throws {
    try withStage { stage in
      let answer = stage.alice(.request("OPTIONS", "sip:192.0.2.10"))
      #expect(answer.map(\.status) == [200])
      #expect(stage.alice(.request("OPTIONS", "sip:192.0.2.10")).map(\.bytes) == answer.map(\.bytes))
      #expect(stage.driver.proxy.serverTransactionCount == 1)
    }
  }
}
