import GuestMemory
import LinuxSystem
@testable import Machine
import MachineProtocol
import TestSupport
import Testing

@Suite("Kernel command line")
struct KernelCommandLineTests {
    private func words(_ description: MachineDescription) -> [String] {
        KernelCommandLine.make(description).split(separator: " ").map(String.init)
    }

    @Test("svmm's parameters come first, so that the user's override them")
    func order() throws {
        let words = words(MachineDescription(kernel: "k", commandLine: "panic=5 quiet"))
        let own = try #require(words.firstIndex(of: "panic=-1"))
        #expect(try #require(words.firstIndex(of: "panic=5")) > own)
        #expect(words.last == "quiet")
    }

    @Test("the console is named unless there is none")
    func console() {
        #expect(words(MachineDescription(kernel: "k")).first == "console=ttyS0")
        #expect(words(MachineDescription(kernel: "k", console: .file("f"))).contains("console=ttyS0"))
        #expect(!words(MachineDescription(kernel: "k", console: .none)).contains("console=ttyS0"))
        #expect(words(MachineDescription(kernel: "k", consoleModel: .virtio)).first == "console=hvc0")
    }

    @Test("each disk, the entropy device, the balloon and a console device are named", arguments: [0, 1, 5])
    func devices(disks: Int) {
        var description = MachineDescription(kernel: "k",
            disks: Array(repeating: DiskDescription(path: "d"), count: disks))
        func count() -> Int { words(description).filter { $0.hasPrefix("virtio_mmio.device=") }.count }
        #expect(count() == disks + 2)
        description.hasBalloon = false
        #expect(count() == disks + 1)
        description.consoleModel = .virtio
        #expect(count() == disks + 2)
    }

    @Test("warm reboots mean panics only while the user has not chosen a way to reboot", arguments: [
        ("", true), ("quiet", true), ("reboot=t", false), ("quiet reboot=acpi ro", false), ("noreboot=1", true),
    ])
    func panicMarks(commandLine: String, marks: Bool) {
        #expect(KernelCommandLine.marksPanics(MachineDescription(kernel: "k", commandLine: commandLine)) == marks)
    }
}

@Suite("How a machine ends")
struct MachineEndingTests {
    private let memory: GuestMemory
    private let news: EventNotifier

    init() throws {
        memory = try GuestMemory(layout: try #require(RAMLayout(size: 1 << 20)))
        news = try EventNotifier()
    }

    private func ending(marksPanics: Bool = true) -> MachineEnding {
        MachineEnding(news: news, memory: memory, marksPanics: marksPanics)
    }

    @Test("the first word counts, and is news")
    func first() {
        let ending = ending()
        #expect(ending.outcome == nil)
        ending.report(.powerOff)
        #expect(news.take())
        ending.report(.reset)
        ending.end(.tripleFault)
        #expect(ending.outcome == .poweredOff)
    }

    @Test("a reset is a panic's when the guest has said so, or has left its mark", arguments: [
        (false, 0, true, MachineOutcome.rebooted), (true, 0, true, .panicked), (false, 0x1234, true, .panicked),
        (false, 0x1234, false, .rebooted), (false, 0x4321, true, .rebooted), (true, 0, false, .panicked),
    ] as [(Bool, UInt16, Bool, MachineOutcome)])
    func panics(isReported: Bool, mark: UInt16, marksPanics: Bool, outcome: MachineOutcome) throws {
        let ending = ending(marksPanics: marksPanics)
        try memory.write(mark, at: 0x472)
        if isReported {
            ending.report(.panic)
            #expect(ending.outcome == nil && ending.hasPanicked && news.take())
        }
        ending.report(.reset)
        #expect(ending.outcome == outcome)
    }
}
