// swift-tools-version: 6.2
import PackageDescription

/// Settings of every Swift target: Swift 6 language mode comes with the tools version.
///
/// `CALLKEEPER_WARNINGS=error` turns warnings into errors; `Scripts/test` sets it, a plain
/// build does not, so that a newer compiler's new warning never stops a user.
let settings: [SwiftSetting] =
  [
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
  ] + (Context.environment["CALLKEEPER_WARNINGS"] == "error" ? [.treatAllWarnings(as: .error)] : [])

/// A packet crosses several modules: whole-package optimisation removes the border between them.
let hotPath: [SwiftSetting] =
  settings + [.unsafeFlags(["-cross-module-optimization"], .when(configuration: .release))]

func pure(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: hotPath)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
  .testTarget(
    name: name + "Tests", dependencies: dependencies, resources: resources, swiftSettings: settings)
}

let package = Package(
  name: "callkeeper",
  products: [.executable(name: "callkeeper", targets: ["callkeeper"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
  ],
  targets: [
    // Pure: no clock, no randomness, no sockets, no Foundation.
    pure("Timekeeping"),
    pure("PagedStorage", ["Timekeeping"]),
    pure("SIPSyntax"),
    pure("SessionTimers", ["SIPSyntax"]),
    pure("SIPTransactions", ["Timekeeping"]),
    pure("CallState", ["PagedStorage", "SessionTimers", "SIPSyntax", "Timekeeping"]),
    pure("ServerLocation", ["PagedStorage", "SIPSyntax", "Timekeeping"]),
    pure(
      "ProxyCore",
      [
        "CallState", "PagedStorage", "ServerLocation", "SessionTimers", "SIPSyntax", "SIPTransactions",
        "Timekeeping",
      ]),
    pure("AdminHTTP", ["CallState", "ProxyCore", "SessionTimers", "SIPSyntax", "Timekeeping"]),

    // Edge: the only targets that know libevent and the operating system.
    .systemLibrary(name: "CLibevent", pkgConfig: "libevent", providers: [.apt(["libevent-dev"])]),
    .target(name: "CSystemShims"),
    .systemLibrary(name: "AresLibrary", pkgConfig: "libcares", providers: [.apt(["libc-ares-dev"])]),
    .systemLibrary(name: "OpenSSLLibrary", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    .target(name: "CCares", dependencies: ["AresLibrary"], linkerSettings: [.linkedLibrary("cares")]),
    .target(
      name: "COpenSSL", dependencies: ["CLibevent", "OpenSSLLibrary"],
      linkerSettings: ["event_openssl", "ssl", "crypto"].map { .linkedLibrary($0) }),
    .target(
      name: "EventIO",
      dependencies: [
        "AdminHTTP", "CCares", "CLibevent", "COpenSSL", "CSystemShims", "PagedStorage", "ProxyCore",
        "ServerLocation", "SIPSyntax", "Timekeeping",
      ],
      swiftSettings: hotPath),
    .target(
      name: "CallkeeperCommand",
      dependencies: [
        "AdminHTTP", "EventIO", "PagedStorage", "ProxyCore", "SessionTimers", "SIPSyntax", "Timekeeping",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: settings),
    .executableTarget(name: "callkeeper", dependencies: ["CallkeeperCommand"], swiftSettings: settings),

    // Support: the deterministic simulation the tests are built on.
    .target(
      name: "ProxySimulation",
      dependencies: [
        "CallState", "PagedStorage", "ProxyCore", "ServerLocation", "SessionTimers", "SIPSyntax",
        "Timekeeping",
      ],
      swiftSettings: settings),
    .executableTarget(
      name: "simulate",
      dependencies: [
        "ProxyCore", "ProxySimulation", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings),

    // The load generator of Scripts/bench.
    .executableTarget(
      name: "load",
      dependencies: [
        "AdminHTTP", "CSystemShims", "EventIO", "SIPSyntax", "Timekeeping",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Histogram", package: "hdrhistogram-swift"),
      ],
      swiftSettings: hotPath),

    // Small pieces of the hot path, for Scripts/instructions.
    .executableTarget(
      name: "instructions",
      dependencies: [
        "CallState", "PagedStorage", "ProxyCore", "SessionTimers", "SIPSyntax", "Timekeeping",
      ],
      path: "Tests/Instructions/Harness", swiftSettings: settings),

    tests("Timekeeping", ["Timekeeping"]),
    tests("PagedStorage", ["PagedStorage", "Timekeeping"]),
    tests("SIPSyntax", ["SIPSyntax"], resources: [.copy("Fixtures")]),
    tests("SessionTimers", ["SessionTimers", "SIPSyntax"]),
    tests("SIPTransactions", ["SIPTransactions", "Timekeeping"]),
    tests("CallState", ["CallState", "PagedStorage", "SessionTimers", "SIPSyntax", "Timekeeping"]),
    tests("ServerLocation", ["PagedStorage", "ServerLocation", "SIPSyntax", "Timekeeping"]),
    tests(
      "ProxyCore",
      ["CallState", "ProxyCore", "ProxySimulation", "ServerLocation", "SIPSyntax", "Timekeeping"]),
    tests(
      "AdminHTTP",
      ["AdminHTTP", "CallState", "PagedStorage", "ProxyCore", "SessionTimers", "SIPSyntax", "Timekeeping"]),
    // A certificate authority for the tests of TLS.
    .target(
      name: "CTestAuthority", path: "Tests/CTestAuthority", linkerSettings: [.linkedLibrary("crypto")]),
    tests(
      "EventIO",
      [
        "AdminHTTP", "CLibevent", "CTestAuthority", "EventIO", "PagedStorage", "ProxyCore", "ServerLocation",
        "SessionTimers", "SIPSyntax", "Timekeeping",
      ]),
    tests(
      "CallkeeperCommand",
      [
        "CallkeeperCommand", "ProxyCore", "SessionTimers", "SIPSyntax", "Timekeeping",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ]),
    tests("ProxySimulation", ["ProxySimulation", "ProxyCore"]),
    tests("load", ["load", "SIPSyntax", "Timekeeping"]),
  ]
)

// Built only by Scripts/fuzz, which links libFuzzer into it: a plain build knows nothing of it.
if Context.environment["CALLKEEPER_FUZZING"] == "1" {
  package.targets.append(
    .executableTarget(
      name: "Fuzzing",
      dependencies: [
        "CallState", "PagedStorage", "ProxyCore", "ServerLocation", "SIPSyntax", "SessionTimers",
        "Timekeeping",
      ],
      path: "Tests/Fuzzing/Harness", swiftSettings: settings))
}
