import LinuxSystem

// What makes, renames and removes names in this directory. The caller has checked that the share may be changed.
extension Node {
    /// Makes a regular file and opens it: the place holds it open in this mode. Throws `.exists` when the name is taken.
    ///
    /// One call to make it and one to look at it; whatever is not as wanted then is changed.
    func createFile(_ name: FileName, _ mode: OpenMode, _ new: NewFile) throws(Errno) -> Node {
        let reservation = try export.host.reserveDescriptor()
        let permissions = new.firstPermissions(export.ownership)
        let opened = try file.open(name, [mode, .create, .exclusive, .noFollow], permissions: permissions)
        let attributes = try undoing(name, isDirectory: false) { () throws(Errno) in
            let attributes = try opened.attributes()
            switch export.ownership {
            case .passthrough:
                let isOwn = (new.user ?? attributes.user) == attributes.user
                    && (new.group ?? attributes.group) == attributes.group
                if !isOwn { try opened.setOwner(user: new.user, group: new.group) }
                try setPermissions(of: opened, attributes, new.permissions)
            case .mapped:
                try new.mappedStatus.write(opened)
            case .squash:
                try setPermissions(of: opened, attributes, new.permissions & 0o1777)
            }
            return attributes
        }
        return try Node(export: export, file: opened, attributes: attributes, reservation: reservation)
    }

    private func setPermissions(
        of file: borrowing FileDescriptor, _ found: FileAttributes, _ permissions: UInt32
    ) throws(Errno) {
        if found.mode & 0o7777 != permissions { try file.setPermissions(permissions) }
    }

    func makeDirectory(_ name: FileName, _ new: NewFile) throws(Errno) -> Node {
        try file.makeDirectory(name, permissions: NewFile.hostPermissions(.directory))
        return try finish(name, new, hostType: .directory)
    }

    /// Makes a file of any type but directory and symbolic link.
    func makeNode(_ name: FileName, _ new: NewFile) throws(Errno) -> Node {
        let permissions = NewFile.hostPermissions(new.type)
        if export.ownership == .mapped {
            try file.makeNode(name, .regular, permissions: permissions)
            return try finish(name, new, hostType: .regular)
        }
        switch new.type {
        case .regular: break
        case .fifo, .socket: guard export.specialFiles != .none else { throw .notPermitted }
        case .characterDevice, .blockDevice: guard export.specialFiles == .all else { throw .notPermitted }
        case .directory, .symbolicLink: throw .invalidArgument
        }
        try file.makeNode(name, new.type, permissions: permissions, major: new.deviceMajor, minor: new.deviceMinor)
        return try finish(name, new, hostType: new.type)
    }

    func makeSymbolicLink(_ name: FileName, to target: LinkTarget, _ new: NewFile) throws(Errno) -> Node {
        if export.ownership == .mapped {
            let permissions = NewFile.hostPermissions(.regular)
            let opened = try file.open(name, [.writeOnly, .create, .exclusive, .noFollow], permissions: permissions)
            try undoing(name, isDirectory: false) { () throws(Errno) in
                try target.write(to: opened)
                try new.mappedStatus.write(opened)
            }
            return try sibling(of: opened)
        }
        try file.makeSymbolicLink(name, to: target)
        let link = try child(name)
        guard link.hostType == .symbolicLink else { throw .stale }
        if new.user != nil || new.group != nil {
            try undoing(name, isDirectory: false) { () throws(Errno) in
                try link.setOwner(user: new.user, group: new.group)
            }
        }
        return link
    }

    /// Owner and permissions of what has just been made.
    private func finish(_ name: FileName, _ new: NewFile, hostType: FileType) throws(Errno) -> Node {
        let made = try child(name)
        // Somebody else's file may have that name by now: it is left alone.
        guard made.hostType == hostType else { throw .stale }
        try undoing(name, isDirectory: hostType == .directory) { () throws(Errno) in
            if export.ownership == .mapped {
                try new.mappedStatus.write(try made.reopenForAttributes())
            } else {
                if new.user != nil || new.group != nil { try made.setOwner(user: new.user, group: new.group) }
                try made.setPermissions(new.permissions)
            }
        }
        return made
    }

    /// Runs the second half of making a file; the name goes again when that fails.
    private func undoing<Result>(
        _ name: FileName, isDirectory: Bool, _ body: () throws(Errno) -> Result
    ) throws(Errno) -> Result {
        do throws(Errno) {
            return try body()
        } catch {
            // The first error is the one to tell.
            try? file.remove(name, isDirectory: isDirectory)
            throw error
        }
    }

    /// What a symbolic link says.
    func linkTarget() throws(Errno) -> [UInt8] {
        if hostType == .symbolicLink { return try file.linkTarget() }
        guard export.ownership == .mapped, try visibleType() == .symbolicLink else { throw .invalidArgument }
        return try reopen([.readOnly]).prefix(LinkTarget.maximumLength)
    }
}
