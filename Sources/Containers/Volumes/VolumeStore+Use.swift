import LinuxSystem

/// A volume as a container's machine gets it.
struct VolumeAttachment: Sendable, Equatable {
    var kind: VolumeKind
    /// The disk image, or the directory with the files.
    var path: String
    /// Whether the machine's device, or share, refuses to write.
    var isReadOnly: Bool
    /// Whether the agent puts into it what the image has.
    var isFilled: Bool
    /// `VolumeFiles.filling` of a volume that nobody has used: to be renamed to `used` when the container is set up.
    var mark: String?
}

extension VolumeStore {
    /// Looks for a container's volumes, and says how its machine gets them, by their places in `mounts`.
    ///
    /// - Parameters:
    ///   - container: for messages.
    ///   - hasOtherUser: whether a container that runs uses the volume of this name, and so is the one that fills it.
    func attachments(
        of mounts: [ContainerMount], container: String, hasOtherUser: (String) throws(ContainerError) -> Bool
    ) throws(ContainerError) -> [Int: VolumeAttachment] {
        var attachments: [Int: VolumeAttachment] = [:]
        for (index, mount) in mounts.enumerated() {
            guard case .volume(let mount) = mount, let name = mount.name else { continue }
            let volume: ContainerVolume
            do throws(ContainerError) {
                volume = try self.volume(name)
            } catch {
                guard error.kind == .notFound else { throw error }
                throw .failed("container \(container): its volume \(name) is not there any more; make it with svmm volume create, or make the container anew")
            }
            attachments[index] = try attachment(of: volume, mount, hasOtherUser: hasOtherUser)
        }
        return attachments
    }

    private func attachment(
        of volume: ContainerVolume, _ mount: VolumeMount, hasOtherUser: (String) throws(ContainerError) -> Bool
    ) throws(ContainerError) -> VolumeAttachment {
        var attachment = VolumeAttachment(kind: volume.kind, path: volume.path, isReadOnly: mount.options.contains(.readOnly), isFilled: false)
        let folder = directory(volume.name)
        let (used, filling) = ("\(folder)/\(VolumeFiles.used)", "\(folder)/\(VolumeFiles.filling)")
        guard (try? fileStatus(at: used)) == nil else { return attachment }
        if try isFilledByOthers(volume, filling, hasOtherUser) { return attachment }
        if (try? fileStatus(at: filling)) == nil {
            // A directory of the host may have got files from there. Then it is theirs.
            let isNew = if volume.kind == .disk { true } else {
                try onFile(volume.path) { () throws(Errno) in try LinuxSystem.names(inDirectory: volume.path).isEmpty }
            }
            let mark = isNew ? filling : used
            try onFile(mark) { () throws(Errno) in _ = try FileDescriptor.open(mark, [.writeOnly, .create]) }
            guard isNew else { return attachment }
        }
        attachment.mark = filling
        attachment.isFilled = mount.copiesImage
        // The agent writes to it before the container cannot.
        attachment.isReadOnly = attachment.isReadOnly && !mount.copiesImage
        return attachment
    }

    /// Whether a container that runs is at it just now. Only directories have several users.
    private func isFilledByOthers(
        _ volume: ContainerVolume, _ filling: String, _ hasOtherUser: (String) throws(ContainerError) -> Bool
    ) throws(ContainerError) -> Bool {
        guard volume.kind == .directory, (try? fileStatus(at: filling)) != nil else { return false }
        return try hasOtherUser(volume.name)
    }

    fileprivate static let wholeDisk = LockRange(first: 0, last: .max)

    /// Whether a machine could have the disk now. Takes no lock, which would be in the way of one.
    ///
    /// - Parameter isReadOnly: shared with others who only read.
    func isFree(_ volume: ContainerVolume, isReadOnly: Bool) throws(ContainerError) -> Bool {
        let path = volume.path
        return try onFile(path) { () throws(Errno) in
            try FileDescriptor.open(path, .readOnly).conflict(Self.wholeDisk, isReadOnly ? .shared : .exclusive) == nil
        }
    }

    /// The image of a disk, which no machine has meanwhile.
    struct LockedDisk: ~Copyable {
        let file: FileDescriptor

        // Closing the file is not enough: see `ContainerStore.Hold`.
        deinit { try? file.unlock(VolumeStore.wholeDisk) }
    }

    /// Locks the disk as a machine that writes does; nil when one has it.
    func lockDisk(_ volume: ContainerVolume) throws(ContainerError) -> LockedDisk? {
        let path = volume.path
        return try onFile(path) { () throws(Errno) -> LockedDisk? in
            let file = try FileDescriptor.open(path, .readWrite)
            guard try file.tryLock(exclusive: true) else { return nil }
            return LockedDisk(file: file)
        }
    }

    /// Bytes of the host's disk that a volume takes.
    func usage(_ volume: ContainerVolume) -> UInt64 {
        if volume.kind == .disk { return ((try? fileAttributes(at: volume.path))?.blocks ?? 0) * 512 }
        var sum: UInt64 = 0
        var waiting = [volume.path]
        // A file with two names counts twice, and what cannot be read not at all: an estimate. Paths that are too long end by themselves.
        while let path = waiting.popLast() {
            for name in (try? LinuxSystem.names(inDirectory: path)) ?? [] {
                guard let attributes = try? fileAttributes(at: "\(path)/\(name)") else { continue }
                sum &+= attributes.blocks &* 512
                if FileType(mode: attributes.mode) == .directory { waiting.append("\(path)/\(name)") }
            }
        }
        return sum
    }
}
