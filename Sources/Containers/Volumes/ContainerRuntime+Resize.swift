import AgentProtocol
import ContainerProtocol
import LinuxSystem
import MachineProtocol

extension ContainerRuntime {
    /// Makes a volume of type ext4 larger: its image at once; its file system at once where a container has it, otherwise when the next one
    /// gets it. What is cut short goes on then, too.
    ///
    /// - Parameter size: bytes, as `VolumeOptions.size`. The size that it has is no error.
    public func resizeVolume(_ name: String, to size: UInt64) async throws(ContainerError) -> ContainerVolume {
        try await BlockingWork.run { () throws(ContainerError) in
            try VolumeStore.check(size: size, of: name)
            let volume = try store.volumes.volume(name)
            guard let present = volume.size else {
                throw .invalid("volume \(name): of type 9p, expected type ext4: a directory is as large as the host's file system allows")
            }
            guard size >= present else {
                throw .invalid("volume \(name): size \(size), expected \(present) or more: volumes do not become smaller")
            }
            if let disk = try store.volumes.lockDisk(volume) {
                try onFile(volume.path) { () throws(Errno) in
                    try disk.file.truncate(to: size)
                    try disk.file.synchronize()
                }
            } else {
                try growAttached(volume, to: size)
            }
            return try store.volumes.volume(name)
        }
    }

    private func growAttached(_ volume: ContainerVolume, to size: UInt64) throws(ContainerError) {
        // The disk is one container's at a time, of all that have it among their mounts.
        let holders = try store.holders(of: volume.name)
        guard let record = holders.first, holders.count == 1 else {
            throw .wrongState("volume \(volume.name): \(holders.isEmpty ? "another program has its disk open" : "several containers read it"); try again when they have ended")
        }
        guard let place = try disk(volume.name, of: record) else {
            throw .failed("volume \(volume.name): container \(record.name) has it, and not as a disk; restart that container")
        }
        try MachineControl(store.paths(record.identifier), container: record.name).ask(.resizeDisk(index: place.index, size: size))
        let connection = try connect(record)
        let answer = try connection.ask(.growDisk(serial: place.serial, size: size))
        guard case .done = answer else { throw connection.unexpected(answer) }
    }

    /// Where the machine of a container has a volume: see `MachineDescription.init`. nil: as no disk.
    private func disk(_ name: String, of record: ContainerRecord) throws(ContainerError) -> (index: UInt32, serial: String)? {
        // After the image's and the container's own.
        var index: UInt32 = 2
        for case (let place, .volume(let mount)) in record.configuration.mounts.enumerated() {
            guard let other = mount.name, try store.volumes.volume(other).kind == .disk else { continue }
            if other == name { return (index, SandboxConfiguration.Devices.volume(place)) }
            index += 1
        }
        return nil
    }
}
