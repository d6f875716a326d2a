import LinuxSystem

extension NinePServer {
    /// A session that goes on where another server's stopped, with the shares of this one. On a server that no client has used;
    /// from any thread.
    ///
    /// Every file is looked for by its path below the share of the same name, one step at a time as clients walk, so that nothing
    /// outside a share is reached, and nothing is opened that a client could not open here. A fid whose file is not there, is
    /// another file, or cannot be opened as it was, stays known and is stale: requests are answered ESTALE, and Tclunk and
    /// Tremove free it. That goes for all fids of a share that this server does not have, and for those that come after the last
    /// descriptor.
    ///
    /// Nothing is made, and nothing is truncated or changed again. The session holds no locks, whatever its client believes.
    public func restore(_ saved: SavedSession) -> NinePSession {
        // The share of a server of one has no number.
        let numbered = saved.shares.filter { $0.serial > 0 }.map { ($0.name, $0.serial) }
        renumber(Dictionary(numbered, uniquingKeysWith: { first, _ in first }), last: saved.lastSerial)
        host.paths.begin(with: prefixesHere(saved))
        let session = makeSession()
        var restorer = SessionRestorer(session)
        restorer.restore(saved)
        session.adopt(restorer.fids, messageSize: saved.messageSize)
        return session
    }

    /// The shares in the order of their serials, also that of a server of one.
    var allExports: [ListedExport] {
        switch root {
        case .shares: exports(after: 0)
        case .share(let export): [ListedExport(serial: 0, export: export)]
        }
    }

    /// The share that had this name in another server.
    func exportHere(_ name: FileName) -> Export? {
        switch root {
        case .shares: export(named: name)
        case .share(let export): export.name == name ? export : nil
        }
    }

    /// With the device numbers that the shares' file systems have now.
    private func prefixesHere(_ saved: SavedSession) -> [PathNumbers.Prefix] {
        var devices: [UInt64: UInt64] = [:]
        for share in saved.shares where devices[share.device] == nil {
            if let export = exportHere(share.name) { devices[share.device] = export.rootDevice }
        }
        return saved.prefixes.map { PathNumbers.Prefix(device: devices[$0.device] ?? $0.device, inodeHigh: $0.inodeHigh) }
    }
}
