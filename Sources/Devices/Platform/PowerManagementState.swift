/// What a `PowerManagement` keeps: its registers, as the guest reads them.
public struct PowerManagementState: Equatable, Sendable {
    /// PM1a_STS, PM1a_EN and PM1a_CNT (ACPI 6.5, section 4.8.3).
    public var status: UInt16 = 0
    public var enable: UInt16 = 0
    public var control: UInt16 = 0
    /// GPE0_STS and GPE0_EN (section 4.8.4.1).
    public var gpe0Status: UInt8 = 0
    public var gpe0Enable: UInt8 = 0

    /// The state after power-on.
    public init() {}
}

extension PowerManagementState {
    /// Whether the guest has switched from legacy mode to ACPI mode (SCI_EN).
    var isACPIEnabled: Bool { control & PowerManagement.sciEnable != 0 }

    /// The level of the system control interrupt, which fixed and general-purpose events share.
    var wantsInterrupt: Bool { isACPIEnabled && (status & enable != 0 || gpe0Status & gpe0Enable != 0) }
}
