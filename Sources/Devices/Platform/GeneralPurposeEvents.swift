import Firmware

/// GPE0_BLK: one register of status bits, one that enables them (ACPI 6.5, section 4.8.4.1). Only the generation ID's
/// event exists; the other bits read as zero.
extension PowerManagement {
    static let generationEvent: UInt8 = 1 << PlatformMap.generationEvent

    /// Tells the guest that the generation ID in its memory is a new one, which the caller has written there before. From any
    /// thread.
    ///
    /// - Returns: false when the guest has not asked to be told of it. It hears of it once it does.
    @discardableResult
    public func announceNewGeneration() -> Bool {
        state.withLock { state in
            state.registers.gpe0Status |= Self.generationEvent
            updateLine(&state)
            return state.registers.isACPIEnabled && state.registers.gpe0Enable & Self.generationEvent != 0
        }
    }

    /// The device at GPE0_BLK.
    public var generalPurposeEvents: any PortDevice { GeneralPurposeEvents(owner: self) }
}

private final class GeneralPurposeEvents: PortDevice {
    private let owner: PowerManagement

    init(owner: PowerManagement) {
        self.owner = owner
    }

    func read(offset: UInt16, size: Int) -> UInt32 {
        let bytes = owner.state.withLock { [$0.registers.gpe0Status, $0.registers.gpe0Enable] }
        return PowerManagement.value(of: bytes, offset: Int(offset), size: size)
    }

    func write(offset: UInt16, size: Int, value: UInt32) {
        owner.state.withLock { state in
            for index in 0..<size {
                let byte = UInt8(truncatingIfNeeded: value >> UInt32(8 * index))
                switch Int(offset) + index {
                case 0: state.registers.gpe0Status &= ~byte  // written ones clear
                case 1: state.registers.gpe0Enable = byte & PowerManagement.generationEvent
                default: break
                }
            }
            owner.updateLine(&state)
        }
    }
}
