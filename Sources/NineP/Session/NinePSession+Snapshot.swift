import LinuxSystem

extension NinePSession {
    /// The session as it is now, for `NinePServer.restore` in another process. No request is under way, and none comes until
    /// this returns.
    ///
    /// Files are saved by the paths they have now, whoever has renamed them. What has no path of less than 4096 bytes below its
    /// share is saved as stale: files that are open and have been removed, or moved out of the share; also one that was opened by a
    /// name that is gone while it has another. So are values of extended attributes that are still being written. Locks are not
    /// saved: the host takes them back from the process that holds them when that ends, and another cannot be given them.
    public func saved() -> SavedSession {
        let fids = allFids.map { (number: $0.number, fid: $0.fid, state: $0.fid.all) }
        var collector = PlaceCollector(server.allExports, host: server.host)
        for entry in fids {
            if case .file(let node, _, _) = entry.state.place { collector.add(node) }
        }
        let (shares, places) = collector.finish()
        var valueBytes = SavedLimits.valueBytes
        let saved = fids.map { number, fid, state in
            let gone = SavedFid.gone(number, user: fid.user)
            let place: SavedFid.Place
            switch state.place {
            case .shares: place = .shares
            case .gone: return gone
            case .file(let node, _, _):
                guard let found = places[ObjectIdentifier(node)] else { return gone }
                place = found
            }
            let use: SavedFid.Use
            switch state.use {
            case .none: use = .none
            case .listing: use = .listing
            case .open(let file): use = .open(flags: file.flags, holdsPlace: file.held === file.node.held)
            case .value(let value):
                guard value.bytes.count <= valueBytes else { return gone }
                valueBytes -= value.bytes.count
                use = .value(value.bytes)
            case .draft: return gone
            }
            return SavedFid(number: number, user: fid.user, place: place, use: use)
        }
        return SavedSession(messageSize: maximumMessageSize, prefixes: server.host.paths.all, lastSerial: server.lastSerial,
                            shares: shares, fids: saved)
    }
}
