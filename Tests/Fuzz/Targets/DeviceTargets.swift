import Virtio

/// A kind of device with its host side, for whoever tests all kinds alike.
public struct DeviceKind: Sendable {
    /// As the target's: `device-NAME`.
    public let name: String
    let make: @Sendable (inout FuzzInput) throws -> any DeviceModel

    public static let all: [DeviceKind] = [
        DeviceKind(name: "block") { try BlockModel(&$0) },
        DeviceKind(name: "network") { try NetworkModel(&$0) },
        DeviceKind(name: "vsock") { try VsockModel(&$0) },
        DeviceKind(name: "9p") { try FileSharingModel(&$0) },
        DeviceKind(name: "entropy") { try EntropyModel(&$0) },
        DeviceKind(name: "balloon") { _ in try BalloonModel() },
        DeviceKind(name: "console") { try ConsoleModel(&$0) },
    ]

    var target: FuzzTarget {
        FuzzTarget("device-\(name)", maximumLength: 2048) { input in try DriverProgram.run(make(&input), &input) }
    }
}
