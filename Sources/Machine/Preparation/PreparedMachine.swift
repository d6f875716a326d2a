import Boot
import Devices
import GuestMemory
import LinuxSystem
import MachineProtocol

/// A machine that is checked and whose files are open and locked, with nothing started yet.
public struct PreparedMachine: ~Copyable {
    let description: MachineDescription
    let layout: RAMLayout
    /// nil: the machine goes on from a snapshot.
    let boot: PreparedBoot?
    let origin: PreparedOrigin?
    let disks: [PreparedDisk]
    let shares: PreparedShares
    let vsock: PreparedVsock?
    let network: PreparedNetwork
    let state: StateDirectory?

    /// Virtio devices at the most, the entropy device among them: each has an interrupt of its own.
    public static var maximumDeviceCount: Int { AddressMap.interrupts.count }

    /// Opens and checks everything that the description names.
    public init(_ description: MachineDescription) throws(MachineError) {
        guard MachineDescription.processorCounts.contains(description.processorCount) else {
            throw MachineError("--cpus \(description.processorCount): expected 1 to \(MachineDescription.processorCounts.upperBound)", status: ExitStatus.usage)
        }
        guard let layout = RAMLayout(size: description.memorySize) else {
            throw MachineError("--memory \(description.memorySize) bytes: expected whole pages of 4096 bytes from 1 MiB to 64 GiB", status: ExitStatus.usage)
        }
        let deviceCount = Self.deviceCount(description)
        guard deviceCount <= Self.maximumDeviceCount else {
            throw MachineError("--disk given \(description.disks.count) times, --share for \(PreparedShares.tags(description).count) tags, --net \(description.interfaces.count) times: \(deviceCount) devices with the machine's own, expected at most \(Self.maximumDeviceCount)", status: ExitStatus.usage)
        }
        if let rate = description.entropyRate, !MachineDescription.entropyRates.contains(rate) {
            throw MachineError("--rng-bps \(rate): expected 1 to \(MachineDescription.entropyRates.upperBound)", status: ExitStatus.usage)
        }
        guard MachineDescription.gracePeriods.contains(description.graceSeconds) else {
            throw MachineError("--grace \(description.graceSeconds): expected 0 to \(Int(MachineDescription.gracePeriods.upperBound)) seconds", status: ExitStatus.usage)
        }
        try Self.checkConsole(description)
        let origin = try description.restore.flatMap { (restore) throws(MachineError) in
            try PreparedOrigin.open(restore, description, layout)
        }
        let boot = try origin == nil ? PreparedBoot(description, layout) : nil
        let disks = try Self.openDisks(description)
        let shares = try PreparedShares(description)
        // Late, so that nothing is made when something else is wrong; what comes after it goes with it.
        let state = try description.dryRun ? nil : description.stateDirectory.map { (path) throws(MachineError) in
            try StateDirectory(path)
        }
        let vsock = try description.dryRun ? nil : description.vsock.map { (vsock) throws(MachineError) in
            try PreparedVsock(vsock, state: state)
        }
        var interfaces = description
        if description.dryRun { interfaces.interfaces = [] }
        let network = try PreparedNetwork(interfaces)
        self.disks = disks
        self.shares = shares
        self.state = state
        self.vsock = vsock
        self.network = network
        self.description = description
        self.layout = layout
        self.boot = boot
        self.origin = origin
    }

    /// Virtio devices of the machine: disks, entropy, shares, vsock, network interfaces, console, balloon, in this order.
    static func deviceCount(_ description: MachineDescription) -> Int {
        description.disks.count + 1 + PreparedShares.tags(description).count + (description.vsock == nil ? 0 : 1)
            + description.interfaces.count + (description.consoleModel == .virtio ? 1 : 0) + (description.hasBalloon ? 1 : 0)
    }

    /// The console's file is emptied: it must not be one of the machine's other files, under whatever name.
    private static func checkConsole(_ description: MachineDescription) throws(MachineError) {
        guard case .file(let path) = description.console, let console = try? fileStatus(at: path),
              console.kind != .characterDevice else { return }
        let others = [("--kernel", description.kernel)] + description.disks.filter { !$0.isPlaceholder }.map { ("--disk", $0.path) }
            + (description.initrd.map { [("--initrd", $0)] } ?? [])
        for (option, other) in others where (try? fileStatus(at: other))?.identity == console.identity {
            throw MachineError("--console file=\(path): the same file as \(option) \(other), expected one of its own")
        }
    }
}

/// What the kernel is told on its command line.
enum KernelCommandLine {
    /// svmm's own parameters come first, so that the user's override them.
    static func make(_ description: MachineDescription) -> String {
        var words: [String] = []
        if description.console != .none { words.append("console=\(description.consoleModel == .virtio ? "hvc0" : "ttyS0")") }
        // Reboot at once after a panic, and leave a mark that tells it from any other reboot: see `Machine`.
        words += ["panic=-1", "reboot=panic_warm"]
        words += VirtioBus.commandLine(slots: PreparedMachine.deviceCount(description))
        if !description.commandLine.isEmpty { words.append(description.commandLine) }
        return words.joined(separator: " ")
    }

    /// Whether a warm reboot can only be a panic: unless the user chose a way to reboot.
    static func marksPanics(_ description: MachineDescription) -> Bool {
        !description.commandLine.split(whereSeparator: \.isWhitespace).contains { $0.hasPrefix("reboot=") }
    }
}
