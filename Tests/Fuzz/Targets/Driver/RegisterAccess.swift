import GuestMemory
import TestSupport

/// Accesses of a driver that knows nothing, or means harm.
enum RegisterAccess {
    private static let statuses: [UInt32] = [0, 1, 3, 11, 15, 0x4F, 0x80, 0x8F, .max, 4, 7, 8]

    static func perform(_ input: inout FuzzInput, on driver: TransportDriver, queues: [MockDriver]) {
        switch input.below(6) {
        case 0: driver.status = input.pick(statuses)
        case 1: driver.configure(UInt32(input.below(queues.count + 1)), input.pick(queues), ready: input.once(in: 2))
        case 2:
            let register = input.pick([MMIO.queueDescLow, MMIO.queueDriverLow, MMIO.queueDeviceLow])
            driver[MMIO.queueSel] = UInt32(input.below(queues.count + 1))
            driver.setAddress(register, address(&input))
        case 3: _ = driver.transport.read(offset: offset(&input), size: input.below(9))
        case 4: driver.transport.write(offset: offset(&input), size: input.below(9), value: input.number())
        default: driver[4 * UInt64(input.below(0x40))] = input.number()
        }
    }

    static func configuration(_ input: inout FuzzInput, on driver: TransportDriver) {
        let place = MMIO.configuration + UInt64(input.below(0x80))
        let size = input.pick([1, 2, 4, 8])
        if input.once(in: 2) {
            _ = driver.transport.read(offset: place, size: size)
        } else {
            driver.transport.write(offset: place, size: size, value: input.number())
        }
    }

    private static func offset(_ input: inout FuzzInput) -> UInt64 {
        input.once(in: 8) ? input.number() : UInt64(input.below(0x1000))
    }

    /// Where a ring could lie, or could not.
    static func address(_ input: inout FuzzInput) -> GuestAddress {
        switch input.below(8) {
        case 0: Bench.lowRAM - UInt64(input.below(0x200))
        case 1: RAMLayout.holeEnd + Bench.highRAM - UInt64(input.below(0x200))
        case 2: RAMLayout.holeEnd - UInt64(input.below(0x200))
        case 3: UInt64.max - UInt64(input.below(0x200))
        case 4: input.number()
        case 5: RAMLayout.holeEnd + UInt64(input.below(0x1000))
        default: Bench.data + UInt64(input.below(Bench.dataCount))
        }
    }
}
