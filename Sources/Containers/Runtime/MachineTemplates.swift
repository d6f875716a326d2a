import LinuxSystem
import MachineProtocol

/// Machines that have booted as far as all of their kind are alike, and were saved then: a container's machine goes on from the template
/// of its kind in the place of a boot.
///
/// A kind is a kernel, an agent and a monitor, as files that have not changed since, processors, memory, and the devices that a machine has
/// beside its disks. The first machine of a kind boots, and makes the template on its way.
struct MachineTemplates {
    /// Templates that are kept, at some 40 MiB each: those that have been used last.
    private static let limit = 16

    let directory: String

    /// - Parameter store: the containers' store.
    init(store: String) {
        directory = store + "/templates"
    }

    /// Has a machine go on from the template of its kind, or become it. Nothing where the files of the kind cannot be looked at, which the
    /// start itself will say better.
    func apply(to machine: inout MachineDescription, monitor: String) {
        guard let path = place(of: machine, monitor: monitor), (try? makeDirectories(directory, permissions: 0o700)) != nil else { return }
        if (try? fileStatus(at: path)) != nil {
            machine.restore = RestoreDescription(directory: path, stepsClock: false, isTemplate: true)
            // Those that are not used go first.
            try? FileDescriptor.open(path, [.pathOnly]).setTimes(accessed: .keep, modified: .now)
        } else {
            removeOldest()
            machine.template = path
        }
    }

    /// Where the template of a machine's kind is, or would be.
    private func place(of machine: MachineDescription, monitor: String) -> String? {
        Self.kind(machine, monitor).map { "\(directory)/\($0)" }
    }

    /// Removes all templates; machines that run are not affected.
    ///
    /// - Returns: the bytes that they took.
    func removeAll() -> UInt64 {
        let bytes = list().reduce(0) { $0 + size($1.path) }
        try? removeTree(directory)
        return bytes
    }

    private func list() -> [(path: String, time: FileTime)] {
        ((try? names(inDirectory: directory)) ?? []).compactMap { name in
            let path = "\(directory)/\(name)"
            return (try? FileDescriptor.open(path, [.pathOnly]).attributes()).map { (path, $0.modified) }
        }
    }

    private func size(_ template: String) -> UInt64 {
        ["memory", "state"].reduce(0) { sum, name in
            sum + ((try? FileDescriptor.open("\(template)/\(name)", [.pathOnly]).attributes().blocks).map { $0 * 512 } ?? 0)
        }
    }

    private func removeOldest() {
        let newestFirst = list().sorted { $0.time > $1.time }
        for template in newestFirst.dropFirst(Self.limit - 1) { try? removeTree(template.path) }
    }

    /// nil when one of the files is not there.
    private static func kind(_ machine: MachineDescription, _ monitor: String) -> String? {
        var words = [
            machine.commandLine, "\(machine.memorySize)", "\(machine.disks.count)", "\(machine.disks.map(\.readOnly))", "\(!machine.shares.isEmpty)",
            // A driver keeps the offloads and the MTU that it has found.
            machine.interfaces.map { interface in
                if case .user = interface.backend { "user" } else { "tap \(interface.mtu ?? 0)" }
            }.joined(separator: ","),
        ]
        for file in [machine.kernel, machine.initrd ?? "", monitor] {
            guard let attributes = try? FileDescriptor.open(file, [.pathOnly]).attributes() else { return nil }
            words.append("\(file) \(attributes.inode) \(attributes.size) \(attributes.modified.seconds).\(attributes.modified.nanoseconds)")
        }
        return "\(machine.processorCount)-\(machine.memorySize >> 20)M-" + digest(words.joined(separator: "\n"))
    }

    /// FNV-1a in 64 bits: a name, and nothing that anybody is protected by.
    static func digest(_ text: String) -> String {
        let hash = text.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

extension ContainerRuntime {
    /// Removes the templates of containers' machines, which are made again when they are missed. Returns the bytes that they took.
    public func removeTemplates() -> UInt64 { MachineTemplates(store: store.root).removeAll() }
}
