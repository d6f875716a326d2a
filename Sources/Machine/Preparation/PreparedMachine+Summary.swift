import Boot
import GuestMemory
import MachineProtocol

extension PreparedMachine {
    /// What would run, for `--dry-run`: one fact in each line.
    var summary: [String] {
        func range(_ start: UInt64, _ end: UInt64) -> String { "\(hexadecimal(start))-\(hexadecimal(end - 1))" }
        var lines: [String] = []
        if let boot {
            let plan = boot.kernel.plan
            lines += [
                "kernel: \(description.kernel) (\(plan.format.rawValue))",
                "entry: \(hexadecimal(plan.entry.address)) (\(plan.entry.kind.rawValue))",
                "kernel memory: \(range(plan.extent.lowerBound, plan.extent.upperBound))",
            ]
            if let initrd = boot.loader.initrd, let path = description.initrd {
                lines.append("initrd: \(path) at \(range(initrd.address, initrd.address + initrd.count))")
            }
        }
        if let restore = description.restore { lines.append("snapshot: \(restore.directory)") }
        lines.append("cpus: \(description.processorCount)")
        lines.append("memory: \(layout.size >> 20) MiB")
        for region in layout.regions { lines.append("ram: \(range(region.start, region.end))") }
        for (index, disk) in disks.enumerated() {
            guard let file = disk.file else {
                lines.append("disk: none yet (\(disk.isReadOnly ? "read-only" : "read-write"), serial \(disk.options.serial))")
                continue
            }
            lines.append("disk: \(description.disks[index].path) (\(file.size) bytes, \(file.isReadOnly ? "read-only" : "read-write"), serial \(disk.options.serial))")
        }
        for share in description.shares {
            let words = [share.readOnly ? "read-only" : "read-write", share.ownership.text] + (share.allowsDevices ? ["devices"] : [])
            lines.append("share: \(share.path) as \(share.tag)\(share.name.map { "/" + $0 } ?? "") (\(words.joined(separator: ", ")))")
        }
        for server in shares.servers where server.hasDirectory { lines.append("share directory: \(server.tag)") }
        if let vsock = description.vsock {
            let place = switch vsock.backend {
            case .user(let path): "user, \(path ?? "\(description.stateDirectory ?? "")/\(StateFiles.vsock)")"
            case .vhost: "vhost"
            }
            lines.append("vsock: \(place), cid \(vsock.contextID.map { "\($0)" } ?? "automatic")")
        }
        for (index, network) in description.interfaces.enumerated() {
            let mac = network.mac ?? description.name.map { NetworkDescription.mac(machine: $0, index: index) }
            let words = [mac.map { NetworkDescription.text(mac: $0) } ?? "random address", "queues \(network.queueCount)"]
                + (network.mtu.map { ["mtu \($0)"] } ?? []) + (network.capturePath.map { ["pcap \($0)"] } ?? [])
            lines.append("net: \(network.option.dropFirst("--net ".count)) (\(words.joined(separator: ", ")))")
        }
        if let directory = description.stateDirectory { lines.append("state: \(directory)") }
        let console = switch description.console {
        case .standardIO: "stdio"
        case .file(let path): "file=\(path)"
        case .unixSocket(let path): "unix=\(path)"
        case .none: "none"
        }
        lines.append("console: \(console)\(description.consoleModel == .virtio ? ",device=virtio" : "")")
        if let rate = description.entropyRate { lines.append("rng: at most \(rate) bytes per second") }
        lines.append("balloon: \(description.hasBalloon ? "on" : "off")")
        if let boot { lines.append("command line: \(boot.loader.commandLine)") }
        return lines
    }
}

extension ShareOwnership {
    /// As `uidmap=` has it.
    var text: String {
        switch self {
        case .automatic: "automatic owners"
        case .passthrough: "passthrough"
        case .mapped: "mapped"
        case .squash(let user, let group):
            "squash" + (user.map { "=\($0)" } ?? "") + (group.map { ":\($0)" } ?? "")
        }
    }
}
