import LinuxSystem

/// Finds the files of a saved session again.
struct SessionRestorer {
    private let session: NinePSession
    private(set) var fids: [UInt32: Fid] = [:]

    init(_ session: NinePSession) {
        self.session = session
    }

    mutating func restore(_ saved: SavedSession) {
        var named = saved.shares.map { _ in [(place: Int, fid: SavedFid)]() }
        for fid in saved.fids {
            fids[fid.number] = Fid(user: fid.user, .gone)
            switch fid.place {
            case .gone: break
            case .shares: restoreSyntheticDirectory(fid)
            case .file(let share, let place): named[share].append((place, fid))
            }
        }
        for (index, share) in saved.shares.enumerated() {
            guard let export = session.server.exportHere(share.name) else { continue }
            restore(share, in: export, named[index].sorted { $0.place < $1.place })
        }
    }

    private mutating func restoreSyntheticDirectory(_ saved: SavedFid) {
        guard case .shares = session.server.root else { return }
        switch saved.use {
        case .none: fids[saved.number] = Fid(user: saved.user, .shares)
        case .listing: fids[saved.number] = Fid(user: saved.user, .shares, use: .listing)
        case .value(let bytes):
            guard let value = try? value(bytes) else { return }
            fids[saved.number] = Fid(user: saved.user, .shares, use: .value(value))
        case .open: break
        }
    }

    /// Goes through the tree once. Of the directories that no fid names, only those that lead to the current place are open.
    private mutating func restore(_ share: SavedShare, in export: Export, _ named: [(place: Int, fid: SavedFid)]) {
        // From the root to the current place; nil from where on nothing is found.
        var path: [Node?] = []
        var rest = named[...]
        for (index, place) in share.places.enumerated() {
            path.removeLast(max(path.count - Int(place.depth), 0))
            let parent = path.last ?? nil
            let node = if let name = place.name { try? parent?.child(name) } else { try? export.rootNode() }
            path.append(node)
            while let (wanted, fid) = rest.first, wanted == index {
                rest = rest.dropFirst()
                guard let node, isSame(node, place, share) else { continue }
                // Where files cannot be had as they were, the fid is stale already.
                if let restored = try? restore(fid, node, foundIn: parent, as: place.name) { fids[fid.number] = restored }
            }
        }
    }

    private func isSame(_ node: Node, _ place: SavedPlace, _ share: SavedShare) -> Bool {
        guard let identity = place.identity, let attributes = try? node.file.attributes() else { return false }
        return identity.isSame(as: FileIdentity(attributes), rootDevice: share.device, rootDeviceNow: node.export.rootDevice)
    }

    private func restore(_ saved: SavedFid, _ node: Node, foundIn parent: Node?, as name: FileName?) throws(Errno) -> Fid {
        let place = Place.file(node, foundIn: parent, as: name)
        switch saved.use {
        case .none:
            return Fid(user: saved.user, place)
        case .value(let bytes):
            return Fid(user: saved.user, place, use: .value(try value(bytes)))
        case .open(let flags, let holdsPlace):
            let file = try session.open(node, flags & OpenFlags.kept)
            guard holdsPlace else { return Fid(user: saved.user, place, use: .open(file)) }
            // As when it was made: one descriptor, not two.
            let made = Node(node, heldBy: file.held)
            let madeFile = OpenFile(node: made, file.held, flags: flags, serial: file.serial)
            return Fid(user: saved.user, .file(made, foundIn: parent, as: name), use: .open(madeFile))
        case .listing:
            throw .stale
        }
    }

    private func value(_ bytes: [UInt8]) throws(Errno) -> AttributeValue {
        AttributeValue(bytes, reservation: try session.attributeBytes.reserve(bytes.count, or: .noMemory))
    }
}
