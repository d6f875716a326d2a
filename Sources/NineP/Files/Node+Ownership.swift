import LinuxSystem

extension Node {
    /// Type, owner and so on as a client sees them, whose user attached as `caller`.
    func visibleAttributes(_ caller: UInt32) throws(Errno) -> FileAttributes {
        var attributes = try file.attributes()
        switch export.ownership {
        case .passthrough:
            break
        case .mapped:
            try mappedStatus()?.apply(to: &attributes)
        case .squash(let user, let group):
            let caller = caller == Limits.noUser ? 0 : caller
            attributes.user = user ?? caller
            attributes.group = group ?? caller
        }
        return attributes
    }

    /// The type as clients see it.
    func visibleType() throws(Errno) -> FileType {
        guard export.ownership == .mapped, hostType == .regular else { return hostType }
        return FileType(mode: try visibleAttributes(0).mode) ?? .regular
    }

    /// nil for a file that no client has made or changed.
    func mappedStatus() throws(Errno) -> MappedStatus? {
        guard hostType == .regular || hostType == .directory else { return nil }
        do throws(Errno) {
            return try MappedStatus.read(try reopenForAttributes())
        } catch {
            // A file of the host that the server may not open.
            if error == .accessDenied { return nil }
            throw error
        }
    }

    /// Gives the file away; nil leaves one as it is. Both nil is a change of the status time.
    func setOwner(user: UInt32?, group: UInt32?) throws(Errno) {
        switch export.ownership {
        case .passthrough:
            try file.setOwner(user: user, group: group)
        case .mapped:
            try changeMappedStatus { status in
                if let user { status.user = user }
                if let group { status.group = group }
            }
        case .squash:
            break
        }
    }

    /// - Parameter permissions: 0...0o7777.
    func setPermissions(_ permissions: UInt32) throws(Errno) {
        guard hostType != .symbolicLink else { throw .notSupported }
        switch export.ownership {
        case .passthrough:
            try export.host.descriptors.setPermissions(of: file, permissions)
        case .mapped:
            try changeMappedStatus { $0.mode = $0.mode & FileType.mask | permissions }
        case .squash:
            let kept: UInt32 = hostType == .directory ? 0o7777 : 0o1777
            try export.host.descriptors.setPermissions(of: file, permissions & kept)
        }
    }

    /// Before a write by any user but root: takes set-user-ID away, and set-group-ID of a file that its group may run
    /// (inode(7)). Linux's client leaves that to the server when it does not cache, and the host's kernel takes every
    /// write here for root's.
    func clearSetIDs(through open: borrowing FileDescriptor) throws(Errno) {
        let mode: UInt32
        switch export.ownership {
        case .passthrough: mode = try open.attributes().mode
        case .mapped:
            guard let status = try MappedStatus.read(open) else { return }
            mode = status.mode
        // No file of such a share has either.
        case .squash: return
        }
        let setUser: UInt32 = 0o4000, setGroup: UInt32 = 0o2000, groupRuns: UInt32 = 0o010
        var cleared = mode & setUser
        if mode & groupRuns != 0 { cleared |= mode & setGroup }
        if cleared != 0 { try setPermissions(mode & 0o7777 & ~cleared) }
    }

    private func changeMappedStatus(_ change: (inout MappedStatus) -> Void) throws(Errno) {
        let opened = try reopenForAttributes()
        try export.statusChanges.withLock { _ throws(Errno) in
            var status: MappedStatus
            if let found = try MappedStatus.read(opened) {
                status = found
            } else {
                let attributes = try file.attributes()
                status = MappedStatus(mode: attributes.mode, user: attributes.user, group: attributes.group)
            }
            change(&status)
            try status.write(opened)
        }
    }
}

/// What a new file is to be.
struct NewFile {
    /// Permissions, 0...0o7777.
    var permissions: UInt32
    var type: FileType
    var user: UInt32?
    var group: UInt32?
    var deviceMajor: UInt32 = 0
    var deviceMinor: UInt32 = 0

    /// - Parameters as the client sends them: P9_NONUNAME stands for nobody in particular.
    init(mode: UInt32, type: FileType, user: UInt32, group: UInt32) {
        permissions = mode & 0o7777
        self.type = type
        self.user = user == Limits.noUser ? nil : user
        self.group = group == Limits.noUser ? nil : group
    }

    var mappedStatus: MappedStatus {
        MappedStatus(mode: type.rawValue | permissions, user: user ?? 0, group: group ?? 0,
                     deviceMajor: deviceMajor, deviceMinor: deviceMinor)
    }

    /// What it is made with on the host. Its owner comes second and set-user-ID last, so that it is never, not for a
    /// moment, a set-user-ID file of the server's own user.
    static func hostPermissions(_ type: FileType) -> UInt32 { type == .directory ? 0o700 : 0o600 }

    /// What a regular file is made with on the host: at once what it is to have, without set-user-ID and the like, if it is to be
    /// the server's own; else as above, as nobody else may open what is still the wrong owner's.
    func firstPermissions(_ ownership: Ownership) -> UInt32 {
        switch ownership {
        case .passthrough:
            let isOwn = (user ?? CurrentProcess.user) == CurrentProcess.user
                && (group ?? CurrentProcess.group) == CurrentProcess.group
            return isOwn ? permissions & 0o777 : Self.hostPermissions(.regular)
        case .mapped:
            return Self.hostPermissions(.regular)
        case .squash:
            return permissions & 0o777
        }
    }
}
