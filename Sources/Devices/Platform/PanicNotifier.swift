/// The pvpanic device (QEMU's docs/specs/pvpanic): a guest kernel writes here when it panics.
public final class PanicNotifier: PortDevice {
    /// PVPANIC_PANICKED and PVPANIC_CRASH_LOADED: the events a guest may report.
    private static let panicked: UInt32 = 1
    private static let crashLoaded: UInt32 = 2

    private let report: MachineEventHandler

    public init(report: @escaping MachineEventHandler) {
        self.report = report
    }

    public func read(offset: UInt16, size: Int) -> UInt32 { Self.panicked | Self.crashLoaded }

    public func write(offset: UInt16, size: Int, value: UInt32) {
        // A loaded crash kernel will take over and reboot by itself; only a plain panic ends the machine.
        if value & Self.panicked != 0 { report(.panic) }
    }
}
