import Boot
import Devices
import Firmware
import GuestMemory
import KVM
import LinuxSystem
import MachineProtocol
import Snapshot
import Synchronization
import Virtio

/// A virtual machine from its first instruction to its end.
///
/// Threads: one for each vCPU; "io" for the entropy device, the balloon and the clock; one for each queue of a disk; some for each
/// 9p device; one for vsock; "net" for network devices, and one for each further pair of their queues. `start`, `waitForEnd` and
/// the console's input are for the control and console threads.
final class Machine: Sendable {
    /// Where the console's input goes.
    let consoleInput: any ConsoleInputPort
    /// nil where the serial port is the console.
    let consoleDevice: ConsoleDevice?
    let balloon: BalloonDevice?
    /// Signalled when the machine has ended, or has reported a panic: see `outcome` and `hasPanicked`.
    let news: EventNotifier

    let system: KVMSystem
    let memory: GuestMemory
    let virtualMachine: VirtualMachine
    let power: PowerManagement
    let clock: RealTimeClock
    let serial: SerialPort
    private let loops: [NamedLoop]
    /// In the order of the description.
    let disks: [BlockDevice]
    let transports: [MMIOTransport]
    let processors: [ProcessorThread]
    private let ending: MachineEnding
    private let isHalted = Flag()
    /// Whether its kernel is Linux.
    let isLinux: Bool
    /// The snapshot that its memory maps; nil where there is none.
    let origin: SnapshotOrigin?
    /// Whether it goes on from a template.
    let isFromTemplate: Bool
    /// Whether its memory is read before the guest needs it.
    private let prefaults: Bool
    /// Whether it has booted without its disks, to be saved as a template before it gets them.
    let awaitsDisks: Bool

    private struct NamedLoop: Sendable {
        let name: String
        let loop: EventLoop
        let finished = Gate()
    }

    /// Builds the machine and loads its memory, from a kernel or from a snapshot. Nothing runs yet.
    ///
    /// - Parameters:
    ///   - console: takes what the guest prints.
    ///   - isTemplate: one that boots gets its disks later (`PreparedDisk.fill`), where its description wants a template of it.
    init(
        _ prepared: borrowing PreparedMachine, system: KVMSystem, console: Console, isTemplate: Bool = false
    ) throws(MachineError) {
        let description = prepared.description
        do {
            let news = try EventNotifier()
            let saved = prepared.origin.flatMap { $0.isSpent ? nil : $0 }
            let (memory, origin) = if let saved {
                try saved.makeMemory(prepared.layout)
            } else {
                (try Self.reserveMemory(prepared.layout), nil as SnapshotOrigin?)
            }
            let ending = MachineEnding(news: news, memory: memory, marksPanics: KernelCommandLine.marksPanics(description))
            let vm = try VirtualMachine(system)
            // Memory first: once there are interrupt controllers, KVM waits for a grace period at every change of memory slots,
            // 6 ms here against 0.05 ms.
            var slot: UInt32 = 0
            try memory.forEachRegion { region, host in
                try vm.setMemory(slot: slot, guestAddress: region.start, host: host, count: region.count)
                slot += 1
            }
            try vm.reserveKernelPages(identityMap: AddressMap.kvmIdentityMap, tss: AddressMap.kvmTSS)
            try vm.createInterruptControllers()

            let report: MachineEventHandler = { ending.report($0) }
            @Sendable func line(_ gsi: UInt32) -> InterruptLevelHandler {
                // A line of an I/O APIC that exists cannot be refused.
                { try? vm.setInterruptLine(gsi: gsi, high: $0) }
            }
            let io = NamedLoop(name: "io", loop: try EventLoop())
            let power = PowerManagement(setInterrupt: line(PlatformMap.sciGSI), report: report)
            let usesConsoleDevice = description.consoleModel == .virtio
            // Also beside a virtio console its output is shown: a kernel's earliest words, and whatever knows no virtio.
            let serial = SerialPort(output: { console.print($0) }, setInterrupt: line(PlatformMap.serialGSI),
                                    roomForInput: { if !usesConsoleDevice { console.roomForInput() } })
            let clock = try RealTimeClock(loop: io.loop, setInterrupt: line(PlatformMap.clockGSI))

            var devices: [any VirtioDevice] = []
            var loops = [io]
            var disks: [BlockDevice] = []
            let areDisksEmpty = saved?.restore.isTemplate ?? (isTemplate && description.template != nil)
            for disk in prepared.disks {
                disks.append(try disk.makeDevice(isEmpty: areDisksEmpty || saved != nil && disk.isPlaceholder))
            }
            devices += disks
            devices.append(try EntropyDevice(loop: io.loop, bytesPerSecond: description.entropyRate))
            for share in prepared.shares.servers { devices.append(FileSharingDevice(server: share.server, tag: share.tag)) }
            if let vsock = prepared.vsock {
                let loop = NamedLoop(name: "vsock", loop: try EventLoop())
                loops.append(loop)
                devices.append(try vsock.makeDevice(loop: loop.loop))
            }
            // The first pairs of all interfaces share a thread: where frames go from one to the other, or many go both ways, every
            // wake-up of a second one would cost more than the frame. Further pairs are asked for to have threads of their own.
            let net = prepared.network.interfaces.isEmpty ? nil : NamedLoop(name: "net", loop: try EventLoop())
            if let net { loops.append(net) }
            for (index, interface) in prepared.network.interfaces.enumerated() {
                let others = try (1..<interface.backend.maximumPairs).map { pair in
                    NamedLoop(name: "net-\(index).\(pair)", loop: try EventLoop())
                }
                loops += others
                devices.append(try prepared.network.makeDevice(index, loops: ([net].compactMap { $0 } + others).map(\.loop)))
            }
            var consoleDevice: ConsoleDevice?
            if usesConsoleDevice {
                // A restored guest may have been told of a size, and is told of none where there is no terminal here.
                let size = console.terminalSize ?? (saved == nil ? nil : TerminalSize(columns: 0, rows: 0))
                let device = ConsoleDevice(size: size, output: { console.print($0) },
                                           roomForInput: { console.roomForInput() })
                devices.append(device)
                consoleDevice = device
            }
            let balloon = description.hasBalloon ? BalloonDevice(loop: io.loop) : nil
            if let balloon { devices.append(balloon) }
            let transports = try Self.connect(devices, memory, vm)

            let board = ProcessorBoard(
                ports: Self.makePorts(serial: serial, clock: clock, power: power, report: report),
                virtio: VirtioBus(transports: transports, power: power),
                end: { ending.end($0) })
            let topology = ProcessorTopology(supported: try system.supportedCPUID(), count: description.processorCount,
                                             hasDeadlineTimer: try system.offersTSCDeadlineTimer())
            let processors = try (0..<description.processorCount).map { try vm.createProcessor(id: $0) }
            if let saved {
                isLinux = saved.state.isLinux
                let parts = SavedParts(system: system, vm: vm, processors: processors, transports: transports, power: power,
                                       clock: clock, serial: serial)
                try parts.restore(saved, features: topology.entries(id: 0))
                for (disk, device) in zip(prepared.disks, disks) where areDisksEmpty || disk.isPlaceholder { try disk.fill(device) }
            } else {
                let boot = try prepared.boot ?? PreparedBoot(description, prepared.layout)
                isLinux = boot.kernel.plan.isLinux
                let entry = try Self.load(boot, memory, description, transportCount: transports.count)
                for processor in processors { try processor.prepare(topology, entry: processor.id == 0 ? entry : nil) }
            }
            // No machine has had it before: not the one that this one was saved from either.
            try memory.write(randomBytes(PlatformMap.generationIDLength), at: PlatformMap.generationID)
            if saved != nil { power.announceNewGeneration() }
            self.processors = processors.map { ProcessorThread($0, board: board) }
            ending.processors = self.processors
            self.memory = memory
            self.ending = ending
            self.news = news
            self.power = power
            self.clock = clock
            self.serial = serial
            self.system = system
            self.origin = origin
            isFromTemplate = saved?.restore.isTemplate ?? false
            prefaults = saved?.restore.prefault ?? false
            awaitsDisks = saved == nil && areDisksEmpty
            self.consoleDevice = consoleDevice
            self.balloon = balloon
            consoleInput = consoleDevice ?? serial
            self.loops = loops
            self.disks = disks
            self.transports = transports
            virtualMachine = vm
        } catch let error as MachineError {
            throw error
        } catch let error as KVMError {
            throw MachineError(kvm: error)
        } catch {
            throw MachineError("the machine could not be built: \(error)")
        }
    }

    private static func reserveMemory(_ layout: RAMLayout) throws(MachineError) -> GuestMemory {
        do throws(Errno) {
            return try GuestMemory(layout: layout)
        } catch {
            throw MachineError("--memory: \(layout.size >> 20) MiB of address space cannot be reserved: \(error); lower it, or allow overcommit (vm.overcommit_memory)")
        }
    }

    private static func connect(
        _ devices: [any VirtioDevice], _ memory: GuestMemory, _ vm: VirtualMachine
    ) throws -> [MMIOTransport] {
        var transports: [MMIOTransport] = []
        for (slot, device) in devices.enumerated() {
            let line = try EventNotifier()
            let transport = try MMIOTransport(device: device, memory: memory, interruptLine: line)
            let window = AddressMap.window(slot: slot)
            try vm.connectInterrupt(line, gsi: window.gsi)
            for (queue, kick) in transport.kicks.enumerated() where !transport.deviceTakesKicks {
                try vm.connectWrite(kick, address: window.address + MMIOTransport.queueNotifyOffset, value: UInt32(queue))
            }
            transports.append(transport)
        }
        return transports
    }

    private static func makePorts(
        serial: SerialPort, clock: RealTimeClock, power: PowerManagement, report: @escaping MachineEventHandler
    ) -> PortBus {
        var ports = PortBus()
        // The console first: it has the most accesses.
        ports.attach(serial, at: PlatformMap.serialPort, count: PlatformMap.serialPortLength)
        ports.attach(clock, at: PlatformMap.clockPort, count: PlatformMap.clockPortLength)
        ports.attach(power.registers, at: PlatformMap.pm1aEventBlock,
                     count: UInt16(PlatformMap.pm1EventLength) + UInt16(PlatformMap.pm1ControlLength))
        ports.attach(power.generalPurposeEvents, at: PlatformMap.gpe0Block, count: UInt16(PlatformMap.gpe0Length))
        ports.attach(power.commandPort, at: PlatformMap.smiCommandPort, count: 1)
        ports.attach(ResetControl(report: report), at: PlatformMap.resetPort, count: 1)
        let keyboard = KeyboardController(report: report)
        ports.attach(keyboard, at: KeyboardController.commandPort, count: 1)
        ports.attach(PanicNotifier(report: report), at: PlatformMap.pvpanicPort, count: PlatformMap.pvpanicPortLength)
        return ports
    }

    /// Puts firmware and kernel into memory; how the boot processor begins.
    private static func load(
        _ boot: PreparedBoot, _ memory: GuestMemory, _ description: MachineDescription, transportCount: Int
    ) throws(MachineError) -> EntryState {
        do {
            let firmware = try makeFirmware(for: MachineShape(
                processorCount: description.processorCount,
                virtioDevices: (0..<transportCount).map { AddressMap.window(slot: $0) }))
            try memory.write(firmware.bytes, at: firmware.address)
            return try boot.load(into: memory, seed: randomBytes(64), rsdp: firmware.rsdpAddress)
        } catch {
            throw MachineError("the guest's memory could not be loaded: \(error)")
        }
    }

    /// Starts the threads; the guest runs.
    func start() throws(MachineError) {
        do throws(Errno) {
            for entry in loops {
                _ = try Thread(name: entry.name) {
                    entry.loop.run()
                    entry.finished.open()
                }
            }
            for disk in disks { try disk.start() }
            // Those of a restored machine go on where they stood; others wait for their drivers.
            resumeDevices()
            for processor in processors { try processor.start() }
            if prefaults {
                let memory = memory
                _ = try Thread(name: "prefault") { memory.readSource() }
            }
        } catch {
            throw MachineError("a thread could not be started: \(error); is a limit on processes (ulimit -u) too low?")
        }
    }

    /// Presses the ACPI power button. False when the guest does not listen to it.
    func pressPowerButton() -> Bool {
        power.pressPowerButton()
    }

    /// Keeps the guest from running until `resume`. Devices finish what they have begun, and may tell the guest of it then.
    ///
    /// - Returns: whether it stands still; if not, because a vCPU is busy for too long, it runs on.
    func pause() -> Bool {
        for processor in processors { processor.requestPause() }
        let deadline = Clock.monotonicNanoseconds() + Self.pausePatience
        if processors.allSatisfy({ $0.waitForPause(until: deadline) }) { return true }
        resume()
        return false
    }

    /// Nanoseconds: devices keep vCPUs for much less.
    private static let pausePatience: UInt64 = 5_000_000_000

    /// Lets the guest go on after `pause`.
    func resume() {
        for processor in processors { processor.resume() }
    }

    /// How the machine ended; nil while it runs.
    var outcome: MachineOutcome? { ending.outcome }

    /// Whether it has ended or is being taken apart: a state that was taken before is whole.
    var isEnding: Bool { isHalted.isRaised || outcome != nil }

    /// Whether the guest has reported a panic, after which it may still write its last words and reboot.
    var hasPanicked: Bool { ending.hasPanicked }

    /// Ends a machine whose guest has panicked and does nothing more.
    func endAfterPanic() {
        ending.end(.panicked)
    }

    /// Keeps the guest from running on. Does not wait.
    func halt() {
        isHalted.raise()
        for processor in processors { processor.requestStop() }
    }

    /// Stops all threads and waits for them, and for I/O in flight, however long that takes: for a machine whose place another
    /// is to take. Not from the control thread.
    func stop() {
        halt()
        for processor in processors { processor.waitForEnd() }
        // Devices let go of queues and guest memory, which nobody could free otherwise.
        for transport in transports { transport.reset() }
        for entry in loops { entry.loop.perform { entry.loop.stop() } }
        for entry in loops { entry.finished.wait() }
        // The threads and what they report to hold each other; without this no machine would ever be freed.
        ending.processors = []
    }
}

extension MachineError {
    /// An error of KVM: the user's to mend when /dev/kvm is missing or closed to them or a saved state does not fit, KVM's own otherwise.
    init(kvm error: KVMError) {
        switch error {
        case .device, .apiVersion, .missingCapability, .state: self.init("\(error)")
        case .call: self.init("\(error)", status: ExitStatus.kvmError)
        }
    }
}
