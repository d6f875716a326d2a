import Devices
import Testing
import TestSupport

@Suite("Serial input")
struct SerialInputTests {
    private let uart = SerialHarness()

    @Test("the receiver takes what fits, and no more", arguments: [(0, 1), (1, 16)])
    func backpressure(fifo: UInt8, capacity: Int) {
        uart[UART.fcr] = fifo
        let input = (0..<40).map { UInt8($0) }
        #expect(uart.receive(input) == capacity)
        #expect(uart.receive(input) == 0)
        #expect((0..<capacity).map { _ in uart[UART.data] } == Array(input.prefix(capacity)))
        #expect(uart[UART.lsr] & 0x02 == 0, "a sender that waits causes no overrun")
    }

    @Test("the sender hears of room when the guest has read all")
    func room() {
        uart[UART.fcr] = 0x01
        _ = uart.receive([1, 2, 3])
        _ = uart[UART.data]
        _ = uart[UART.data]
        #expect(uart.roomCalls == 0)
        _ = uart[UART.data]
        #expect(uart.roomCalls == 1)
        _ = uart[UART.data]
        #expect(uart.roomCalls == 1)
    }

    @Test("the sender hears of room when the guest empties the FIFO without reading it, or input would stall for ever",
          arguments: [0x02, 0x03, 0x07, 0x01] as [UInt8])
    func cleared(control: UInt8) {
        _ = uart.receive([1, 2])
        #expect(uart.roomCalls == 0)
        uart[UART.fcr] = control
        #expect(uart[UART.lsr] & 0x01 == 0)
        #expect(uart.roomCalls == 1)
        #expect(uart.receive([3]) == 1)
    }

    @Test("the sender hears of room when the guest leaves loopback mode, or input would stall for ever")
    func loopback() {
        uart[UART.mcr] = 0x10
        #expect(uart.receive([1]) == 0)
        uart[UART.mcr] = 0x0B
        #expect(uart.roomCalls == 1)
        #expect(uart.receive([1]) == 1)
    }

    @Test("whatever the guest does, a sender that was refused hears of it once there is room",
          arguments: 1...20 as ClosedRange<UInt64>)
    func neverStalls(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var isWaiting = false
        var calls = 0
        for _ in 0..<5000 {
            if random.below(4) == 0, !isWaiting {
                let count = 1 + random.below(20)
                isWaiting = uart.receive([UInt8](repeating: 1, count: count)) < count
                calls = uart.roomCalls
            } else if random.below(2) == 0 {
                uart[UInt16(random.below(8))] = UInt8(truncatingIfNeeded: random.next())
            } else {
                _ = uart[UInt16(random.below(8))]
            }
            if isWaiting, uart.roomCalls > calls { isWaiting = false }
            if isWaiting {
                // Still waiting: then there must still be something to read, or the port must be in loopback mode.
                let isLoopback = uart[UART.mcr] & 0x10 != 0
                let hasData = uart[UART.lsr] & 0x01 != 0
                guard isLoopback || hasData else {
                    Issue.record("stalled, seed \(seed)")
                    return
                }
            }
        }
    }
}
