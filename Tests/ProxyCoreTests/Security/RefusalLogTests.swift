import ProxyCore
import ProxySimulation
import Testing

@Suite("Why was this call refused: what made no dialog is remembered too")
struct RefusalLogTests {
  @Test("A call refused for want of room is explained by its Call-ID")
  func refusedForWantOfRoom() throws {
    try withStage {
      $0.maxDialogs = 1
    } _: { stage in
      try stage.establish()
      let second = Draft.request(branch: "z9hG4bKsecond", callID: "second")
      #expect(stage.alice(second).map(\.status) == [503])
      let page = stage.driver.proxy.decisions(callID: Array("second".utf8), from: 0, at: stage.driver.now)
      #expect(page.reports.map(\.name) == ["503"])
      #expect(page.reports.first?.explanation.contains("--max-dialogs") == true)
      #expect(page.reports.first?.dialog == nil)
    }
  }
}
