import AgentCore
import AgentProtocol

/// A mount of the configuration whose source has been made ready in a directory of the agent's.
struct Volume {
    let mount: SandboxConfiguration.Mount
    let source: String

    var flags: Int32 {
        (mount.isReadOnly ? Int32(MS_RDONLY) : 0) | (mount.flags.contains(.noSetID) ? Int32(MS_NOSUID) : 0)
            | (mount.flags.contains(.noDevices) ? Int32(MS_NODEV) : 0)
            | (mount.flags.contains(.noExecution) ? Int32(MS_NOEXEC) : 0)
    }

    /// Whether it lies below what only the first process mounts.
    var isLate: Bool {
        let path = Array(mount.destination.utf8)
        return PathName.path(path, isAtOrBelow: Array("/proc".utf8)) || PathName.path(path, isAtOrBelow: Array("/sys/fs/cgroup".utf8))
    }
}

extension Sandbox {
    /// - Parameter progress: called from time to time while something that takes long goes on.
    func mountVolumes(_ progress: () -> Void) throws(AgentFailure) {
        makeDirectory(Self.volumes)
        makeDirectory(Self.deviceShares)
        for (index, mount) in configuration.mounts.enumerated() {
            let volume = Volume(mount: mount, source: try prepare(mount, "\(Self.volumes)/\(index)"))
            if volume.isLate {
                lateMounts.append(volume)
            } else {
                try attach(volume, progress)
            }
        }
    }

    private func prepare(_ mount: SandboxConfiguration.Mount, _ place: String) throws(AgentFailure) -> String {
        switch mount.source {
        case .share(let tag, let name):
            let components = PathName.components(Array(name.utf8))
            guard !components.contains(where: PathName.isParent) else {
                throw AgentFailure(.failed, "share `\(name)` of \(tag): a name without .. was expected")
            }
            return try device(tag) + "/" + text(components.joined(separator: [UInt8(ascii: "/")]))
        case .temporary(let size, let mode):
            makeDirectory(place)
            try mountFileSystem("tmpfs", "tmpfs", on: place, 0, "mode=\(text(Digits.octal(UInt64(mode)))),size=\(size)", as: mount.destination)
        case .disk(let serial):
            makeDirectory(place)
            try mountDisk(serial, on: place, as: mount.destination)
            disks.append((serial, place))
        }
        return place
    }

    /// Where the 9p device with a tag is mounted.
    private func device(_ tag: String) throws(AgentFailure) -> String {
        if let index = shares.firstIndex(of: tag) { return "\(Self.deviceShares)/\(index)" }
        let place = "\(Self.deviceShares)/\(shares.count)"
        makeDirectory(place)
        // The host changes files as well: only what is mapped is cached.
        try mountFileSystem("9p", tag, on: place, 0, "trans=virtio,version=9p2000.L,msize=512000,cache=mmap,posixacl")
        shares.append(tag)
        return place
    }

    /// Shows a volume at its destination.
    func attach(_ volume: Volume, _ progress: () -> Void = {}) throws(AgentFailure) {
        let destination = volume.mount.destination
        var status = stat()
        guard stat(volume.source, &status) == 0 else {
            throw AgentFailure(.failed, "source of the mount on `\(destination)`: \(Errno.current.text)")
        }
        let isDirectory = status.kind == .directory
        guard let place = try resolver.find(destination, making: isDirectory ? .directory : .file) else { return }
        guard place.isDirectory == isDirectory else {
            throw AgentFailure(.failed, "mount on `\(destination)`: \(isDirectory ? "a directory cannot lie over a file" : "a file cannot lie over a directory")")
        }
        if volume.mount.copiesImage, isDirectory { try fill(volume, from: place, progress) }
        try bind(volume.source, on: place.name, as: destination)
        if volume.flags != 0 { try remountInside(destination, volume.flags) }
    }
}
