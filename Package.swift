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
        .target(name: "KVM", dependencies: ["CLinux", "LinuxSystem"], swiftSettings: strict),
        .target(name: "GuestMemory", dependencies: ["CLinux", "LinuxSystem"], swiftSettings: strict),
        .target(name: "Virtio", dependencies: ["GuestMemory", "LinuxSystem"], swiftSettings: strict),
        .target(name: "Firmware", path: "Firmware", swiftSettings: strict),
        .target(name: "Boot", dependencies: ["GuestMemory", "LinuxSystem"], swiftSettings: strict),
        .target(name: "Devices", dependencies: ["Virtio", "GuestMemory", "Firmware", "LinuxSystem"],
                swiftSettings: strict),
        .target(name: "Machine",
                dependencies: ["Devices", "Virtio", "Boot", "Firmware", "KVM", "GuestMemory", "MachineProtocol",
                               "LinuxSystem"],
                swiftSettings: strict),
        .executableTarget(name: "svmm-vmm", dependencies: ["Machine", "MachineProtocol", "LinuxSystem"],
                          swiftSettings: strict),
        .executableTarget(name: "svmm",
                          dependencies: ["MachineProtocol", "LinuxSystem",
                                         .product(name: "ArgumentParser", package: "swift-argument-parser")],
                          swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
