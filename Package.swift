// swift-tools-version: 6.2
import PackageDescription

/// Warnings are errors in our own modules; dependencies are built with their own settings.
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

let package = Package(
    name: "svmm",
    products: [
        .executable(name: "svmm", targets: ["svmm"]),
        .executable(name: "svmm-vmm", targets: ["svmm-vmm"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ],
    targets: [
        // Each target may import only what stands above it in this list.
        .target(name: "CLinux", cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]),
        .target(name: "LinuxSystem", dependencies: ["CLinux"], swiftSettings: strict),
        .target(name: "Wire", swiftSettings: strict),
        .target(name: "MachineProtocol", dependencies: ["Wire"], swiftSettings: strict),
        .target(name: "AgentProtocol", dependencies: ["Wire"], swiftSettings: strict),
        // What the guest agent decides without a system call. Sources/svmm-init, the agent itself, is Embedded Swift: Tools/agent/build.
        .target(name: "AgentCore", dependencies: ["AgentProtocol", "Wire"], swiftSettings: strict),
        .target(name: "ContainerProtocol", dependencies: ["AgentProtocol", "Wire"], swiftSettings: strict),
        .target(name: "KVM", dependencies: ["CLinux", "LinuxSystem"], swiftSettings: strict),
        .target(name: "GuestMemory", dependencies: ["CLinux", "LinuxSystem"], swiftSettings: strict),
        .target(name: "Virtio", dependencies: ["GuestMemory", "LinuxSystem"], swiftSettings: strict),
        .target(name: "NineP", dependencies: ["LinuxSystem"], swiftSettings: strict),
        .target(name: "Firmware", path: "Firmware", swiftSettings: strict),
        .target(name: "Boot", dependencies: ["GuestMemory", "LinuxSystem"], swiftSettings: strict),
        .target(name: "Devices", dependencies: ["Virtio", "GuestMemory", "NineP", "Firmware", "LinuxSystem"],
                swiftSettings: strict),
        .target(name: "Machine",
                dependencies: ["Devices", "Virtio", "NineP", "Boot", "Firmware", "KVM", "GuestMemory",
                               "MachineProtocol", "Wire", "LinuxSystem"],
                swiftSettings: strict),
        .executableTarget(name: "svmm-vmm", dependencies: ["Machine", "MachineProtocol", "LinuxSystem"],
                          swiftSettings: strict),
        .executableTarget(name: "svmm",
                          dependencies: ["MachineProtocol", "LinuxSystem",
                                         .product(name: "ArgumentParser", package: "swift-argument-parser")],
                          swiftSettings: strict),

        // Used by the tests below, and by nothing that ships.
        .target(name: "TestSupport", dependencies: ["Virtio", "GuestMemory", "LinuxSystem", "CLinux"],
                path: "Tests/TestSupport", swiftSettings: strict),
        .target(name: "ProcessSupport", dependencies: ["CLinux", "LinuxSystem"], path: "Tests/ProcessSupport",
                swiftSettings: strict),
        .target(name: "AllocationCounter", path: "Tests/AllocationCounter",
                cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]),
        .testTarget(name: "WireTests", dependencies: ["Wire", "MachineProtocol", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "AgentProtocolTests", dependencies: ["AgentProtocol", "Wire", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "AgentCoreTests", dependencies: ["AgentCore", "AgentProtocol", "ProcessSupport", "TestSupport"],
                    swiftSettings: strict),
        .testTarget(name: "GuestMemoryTests", dependencies: ["GuestMemory", "LinuxSystem", "TestSupport"],
                    swiftSettings: strict),
        .testTarget(name: "VirtioTests", dependencies: ["Virtio", "GuestMemory", "LinuxSystem", "TestSupport"],
                    swiftSettings: strict),
        .testTarget(name: "NinePTests", dependencies: ["NineP", "LinuxSystem"], swiftSettings: strict),
        .testTarget(name: "FirmwareTests", dependencies: ["Firmware"], swiftSettings: strict),
        .testTarget(name: "BootTests", dependencies: ["Boot", "GuestMemory", "LinuxSystem", "TestSupport"],
                    swiftSettings: strict),
        .testTarget(name: "DevicesTests",
                    dependencies: ["Devices", "Virtio", "GuestMemory", "NineP", "Firmware", "CLinux", "LinuxSystem",
                                   "TestSupport", "AllocationCounter"],
                    swiftSettings: strict),
        .testTarget(name: "MachineTests",
                    dependencies: ["Machine", "Devices", "Virtio", "KVM", "GuestMemory", "MachineProtocol", "LinuxSystem",
                                   "TestSupport"],
                    swiftSettings: strict),
        .testTarget(name: "CommandLineTests", dependencies: ["svmm", "MachineProtocol"], swiftSettings: strict),
        // The programs are built with the tests, which start them.
        .testTarget(name: "PayloadTests",
                    dependencies: ["svmm", "svmm-vmm", "ProcessSupport", "TestSupport", "LinuxSystem", "CLinux"],
                    swiftSettings: strict),
        .testTarget(name: "GuestTests", dependencies: ["AgentProtocol", "ProcessSupport", "TestSupport", "LinuxSystem"],
                    swiftSettings: strict),
        // Checks a file system from inside a guest; built for the tests.
        .target(name: "ConformanceC", path: "Tools/conformance/Shims", cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]),
        .executableTarget(name: "fs-conformance", dependencies: ["ConformanceC"], path: "Tools/conformance",
                          exclude: ["README.md", "Shims"], swiftSettings: strict),
        .executableTarget(name: "svmm-bench",
                          dependencies: ["CLinux", "LinuxSystem", "NineP",
                                         .product(name: "ArgumentParser", package: "swift-argument-parser")],
                          path: "Tools/benchmarks", exclude: ["README.md", "bare-kvm.c", "bare-block.c", "bare-net.c"],
                          swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
