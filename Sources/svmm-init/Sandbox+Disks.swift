import AgentCore
import AgentProtocol

extension Sandbox {
    /// Mounts the ext4 file system of a volume's disk; one that is smaller than its disk grows. Blocks that it gives free are given back to the
    /// host as they are.
    func mountDisk(_ serial: String, on place: String, as name: String) throws(AgentFailure) {
        let device = try disk(serial)
        if Self.isReadOnly(device) {
            // A journal that is not empty cannot be replayed; without it the file system is as at its last checkpoint.
            guard mount(device, place, "ext4", UInt(MS_RDONLY), "") != 0 else { return }
            return try mountFileSystem("ext4", device, on: place, Int32(MS_RDONLY), "noload", as: name)
        }
        try mountFileSystem("ext4", device, on: place, 0, "discard", as: name)
        try grow(device, place, name)
    }

    private static func isReadOnly(_ device: String) -> Bool {
        line("/sys/block/\(device.split(separator: "/").last ?? "")/ro") == [UInt8(ascii: "1")]
    }

    /// Runs in a child: waits for the disk's new size, and has the file system grow to it.
    func growDisk(_ serial: String, to size: UInt64) throws(AgentFailure) {
        guard let place = disks.first(where: { $0.serial == serial })?.place else {
            throw AgentFailure(.notFound, "the container has no disk with the serial number \(serial) mounted")
        }
        let device = try disk(serial)
        for _ in 0..<Self.sizePatience {
            if Self.size(of: device) >= size { return try grow(device, place, serial) }
            agent_sleep(10_000_000)
        }
        throw AgentFailure(.failed, "disk \(serial): it has \(Self.size(of: device)) bytes still, \(size) were announced")
    }

    /// Times ten milliseconds that the kernel may take to see a disk's new size.
    private static let sizePatience = 1000

    private static func size(of device: String) -> UInt64 {
        let file = agent_open(device, O_RDONLY, 0)
        guard file >= 0 else { return 0 }
        defer { close(file) }
        return agent_device_size(file)
    }

    private func grow(_ device: String, _ place: String, _ name: String) throws(AgentFailure) {
        let file = agent_open(device, O_RDONLY, 0)
        guard file >= 0 else { throw AgentFailure(.failed, "disk of `\(name)`: \(Errno.current.text)") }
        defer { close(file) }
        // The superblock's sizes of blocks and of the whole, in blocks (s_blocks_count_lo, s_log_block_size, s_blocks_count_hi); what the kernel
        // has mounted is sound.
        let start = contents(of: file, limit: 4096)
        func number(_ offset: Int) -> UInt64 {
            offset + 4 <= start.count - 1024 ? start[(1024 + offset)..<(1028 + offset)].reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) } : 0
        }
        let shift = 10 + number(24)
        guard shift <= 16 else { return }
        let wide: UInt64 = number(96) & 0x80 != 0 ? number(336) << 32 : 0  // INCOMPAT_64BIT
        let (present, wanted) = (number(4) | wide, agent_device_size(file) >> shift)
        guard wanted > present else { return }
        let root = agent_open(place, O_RDONLY | O_DIRECTORY, 0)
        guard root >= 0 else { throw AgentFailure(.failed, "volume of `\(name)`: \(Errno.current.text)") }
        defer { close(root) }
        guard agent_grow_ext4(root, wanted) == 0 else {
            throw AgentFailure(.failed, "the file system of `\(name)` does not grow from \(present) to \(wanted) blocks: \(Errno.current.text)")
        }
    }
}
