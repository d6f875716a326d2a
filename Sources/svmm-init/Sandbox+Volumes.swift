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
    func mountVolumes() throws(AgentFailure) {
        makeDirectory(Self.volumes)
        makeDirectory(Self.deviceShares)
        for (index, mount) in configuration.mounts.enumerated() {
            let volume = Volume(mount: mount, source: try prepare(mount, "\(Self.volumes)/\(index)"))
            if volume.isLate {
                lateMounts.append(volume)
            } else {
                try attach(volume)
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
            try mountFileSystem("ext4", try disk(serial), on: place, 0, "", as: mount.destination)
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
    func attach(_ volume: Volume) throws(AgentFailure) {
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
        if volume.mount.copiesImage, isDirectory { try fill(volume, from: place) }
        try bind(volume.source, on: place.name, as: destination)
        if volume.flags != 0 { try remountInside(destination, volume.flags) }
    }

    /// Gives a volume that has nothing in it what the image has at its place, the directory's owner and mode included.
    private func fill(_ volume: Volume, from place: Resolver.Place) throws(AgentFailure) {
        // mke2fs makes that in every file system.
        let present = names(in: volume.source).filter { text($0) != "lost+found" }
        guard present.isEmpty else { return }
        let pipe: (read: Int32, write: Int32)
        do throws(Errno) {
            pipe = try makePipe()
        } catch {
            throw AgentFailure(.failed, "pipe: \(error.text)")
        }
        let source = CPath(place.path) { agent_open($0, O_RDONLY | O_DIRECTORY, 0) }
        let target = agent_open(volume.source, O_RDONLY | O_DIRECTORY, 0)
        defer { for file in [source, target] where file >= 0 { _ = close(file) } }
        guard source >= 0, target >= 0 else {
            _ = close(pipe.read)
            _ = close(pipe.write)
            throw AgentFailure(.failed, "copy to the volume on `\(volume.mount.destination)`: \(Errno.current.text)")
        }
        let writer = Self.copier {() throws(AgentFailure) in
            _ = close(pipe.read)
            var archiver = Archiver(to: pipe.write)
            try archiver.addRoot(source)
            try archiver.addContents(source)
            try archiver.finish()
        }
        let reader = Self.copier {() throws(AgentFailure) in
            _ = close(pipe.write)
            var extractor = Extractor(pipe.read, into: target, changesRoot: true)
            try extractor.run()
        }
        _ = close(pipe.read)
        _ = close(pipe.write)
        var ends: [Int32] = []
        for child in [writer, reader] {
            var status: Int32 = -1
            let ended = retrying { Int(waitpid(child, &status, 0)) }
            ends.append(child > 0 && ended > 0 ? agent_exit_status(status) : 1)
        }
        guard ends == [0, 0] else {
            throw AgentFailure(.failed, "copy of `\(volume.mount.destination)` to the volume there failed")
        }
    }

    private static func copier(_ work: () throws(AgentFailure) -> Void) -> Int32 {
        let child = agent_clone(0, -1)
        guard child == 0 else { return child }
        do throws(AgentFailure) {
            try work()
        } catch {
            log(error.text)
            _exit(1)
        }
        _exit(0)
    }
}
