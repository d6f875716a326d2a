@testable import KVM
import LinuxSystem
import Testing

/// A machine of 16 KiB in real mode.
private final class SmallMachine {
    static let counter = 0x2000

    let system: KVMSystem
    let vm: VirtualMachine
    let processor: VirtualProcessor
    private let memory: MemoryMapping

    /// - Parameter contents: of its memory.
    init(_ contents: [UInt8]) throws {
        memory = try MemoryMapping(anonymousBytes: 0x4000)
        memory.base.copyMemory(from: contents, byteCount: contents.count)
        system = try KVMSystem()
        vm = try VirtualMachine(system)
        try vm.setMemory(slot: 0, guestAddress: 0, host: memory.base, count: 0x4000)
        try vm.reserveKernelPages(identityMap: 0xFEFF_C000, tss: 0xFEFF_D000)
        try vm.createInterruptControllers()
        processor = try vm.createProcessor(id: 0)
    }

    /// One that counts in memory and in a register, and writes to a port after each step.
    static func counting() throws -> SmallMachine {
        // inc word [0x2000]; inc edx; out 0x80, al; jmp -10
        let machine = try SmallMachine(Array(repeating: 0, count: 0x1000) + [0xFF, 0x06, 0x00, 0x20, 0x66, 0x42, 0xE6, 0x80, 0xEB, 0xF6])
        try machine.processor.setCPUID(try machine.system.supportedCPUID())
        try machine.processor.updateSpecialRegisters { registers in
            registers.cs.base = 0
            registers.cs.selector = 0
        }
        try machine.processor.updateRegisters { registers in
            registers.rip = 0x1000
            registers.rdx = 0x1_0000
        }
        return machine
    }

    var contents: [UInt8] { Array(UnsafeRawBufferPointer(start: memory.base, count: memory.count)) }

    var count: UInt16 { memory.base.loadUnaligned(fromByteOffset: Self.counter, as: UInt16.self) }

    func register() throws -> UInt64 {
        var value: UInt64 = 0
        try processor.updateRegisters { value = $0.rdx }
        return value
    }

    /// Lets it make so many steps, and stand between two instructions.
    func run(steps: Int) throws {
        for _ in 0..<steps {
            guard case .portWrite = try processor.runGuest() else { throw KVMError.state("an exit that the program does not cause") }
        }
        processor.requestExit()
        guard case .interrupted = try processor.runGuest() else { throw KVMError.state("it does not leave the guest when asked to") }
        processor.clearExitRequest()
    }
}

@Suite("A vCPU's and a board's state", .enabled(if: (try? KVMSystem()) != nil, "/dev/kvm cannot be used"))
struct StateTests {
    /// IA32_TIME_STAMP_COUNTER, which goes on.
    private static let timeStamp: UInt32 = 0x10

    private func withoutTime(_ state: ProcessorState) -> ProcessorState {
        var state = state
        state.modelSpecificRegisters.removeAll { $0.index == Self.timeStamp }
        return state
    }

    @Test("a machine goes on in another where it stood, as often as one likes")
    func chain() throws {
        var machine = try SmallMachine.counting()
        var expected: UInt16 = 0
        for steps in 1...20 {
            try machine.run(steps: steps)
            expected += UInt16(steps)
            #expect(machine.count == expected)
            let (state, platform) = (try machine.processor.saveState(machine.system), try machine.vm.saveState())
            let next = try SmallMachine(machine.contents)
            try next.vm.restoreState(platform)
            try next.processor.restoreState(state, next.system)
            #expect(try next.register() == 0x1_0000 + UInt64(expected))
            machine = next
        }
    }

    @Test("what was restored is what is saved again")
    func same() throws {
        let machine = try SmallMachine.counting()
        try machine.run(steps: 3)
        // An interrupt that waits, in the PIC and in the I/O APIC.
        try machine.vm.setInterruptLine(gsi: 5, high: true)
        let (state, platform) = (try machine.processor.saveState(machine.system), try machine.vm.saveState())
        #expect(state.modelSpecificRegisters.count > 20 && !state.features.isEmpty)
        let next = try SmallMachine(machine.contents)
        try next.vm.restoreState(platform)
        try next.processor.restoreState(state, next.system)
        let (again, board) = (try next.processor.saveState(next.system), try next.vm.saveState())
        #expect(withoutTime(again) == withoutTime(state))
        #expect(board.interruptControllers == platform.interruptControllers)
        // Not earlier: the guest's time does not go back.
        #expect(board.clock >= platform.clock)
        let fresh = try SmallMachine([]).vm.saveState()
        #expect(fresh.interruptControllers != platform.interruptControllers)
    }

    @Test("a state of another size, or of another controller, is refused by name", arguments: ["REGS", "SREGS2", "XCRS", "LAPIC", "MP_STATE", "VCPU_EVENTS"])
    func damaged(name: String) throws {
        let machine = try SmallMachine.counting()
        let state = try machine.processor.saveState(machine.system)
        for change in [-1, 1] {
            func changed(_ bytes: [UInt8]) -> [UInt8] { change < 0 ? bytes.dropLast() : bytes + [0] }
            var bad = state
            switch name {
            case "REGS": bad.registers = changed(bad.registers)
            case "SREGS2": bad.specialRegisters = changed(bad.specialRegisters)
            case "XCRS": bad.extendedControl = changed(bad.extendedControl)
            case "LAPIC": bad.localInterrupts = changed(bad.localInterrupts)
            case "MP_STATE": bad.activity = changed(bad.activity)
            default: bad.events = changed(bad.events)
            }
            let next = try SmallMachine([])
            let error = try #require(throws: KVMError.self) { try next.processor.restoreState(bad, next.system) }
            #expect("\(error)".hasPrefix("state of \(name): "), "\(error)")
        }
    }

    @Test("controllers that are missing, or say that they are others, are refused")
    func controllers() throws {
        let machine = try SmallMachine([])
        let state = try machine.vm.saveState()
        var (few, mixed, short) = (state, state, state)
        few.interruptControllers.removeLast()
        mixed.interruptControllers.swapAt(0, 1)
        short.interruptControllers[2] = [2]
        for bad in [few, mixed, short] {
            #expect(throws: KVMError.self) { try machine.vm.restoreState(bad) }
        }
    }

    @Test("a register that the processor does not have is refused with its number, unless it is as it should be")
    func registers() throws {
        let machine = try SmallMachine.counting()
        #expect(try machine.processor.modelSpecificRegisters([0x4000_1234]) == [])
        let error = try #require(throws: KVMError.self) {
            try machine.processor.restoreModelSpecificRegisters([ModelSpecificRegister(index: 0x4000_1234, value: 1)])
        }
        #expect("\(error)".contains("0x40001234"))
    }
}
