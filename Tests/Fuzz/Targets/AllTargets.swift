extension FuzzTarget {
    /// Those that need nothing but the monitor's modules.
    public static let all: [FuzzTarget] = [QueueTarget.target, TransportTarget.target] + DeviceKind.all.map(\.target) + [
        MessageTargets.messages, MessageTargets.sessions, ModelTarget.target, PortTargets.serial, PortTargets.platform,
        KernelTargets.bzImage, KernelTargets.elf, KernelTargets.kernel, SnapshotTargets.state, SnapshotTargets.directory,
        WireTarget.target,
    ]
}
