import LinuxSystem

/// Finds out where the files of fids are, and makes the trees of a saved session of them.
struct PlaceCollector {
    private struct Found {
        /// Below the share's root: components with a NUL between them, which sorts a directory before what is in it, and all of
        /// that before the next name.
        var path: [UInt8]
        var identity: FileIdentity
        var node: ObjectIdentifier
    }

    private let host: Host
    private let exports: [ListedExport]
    /// nil where that cannot be said.
    private let roots: [[UInt8]?]
    private let indices: [ObjectIdentifier: Int]
    private var found: [[Found]]
    private var nodes: Set<ObjectIdentifier> = []
    /// Bytes that paths may still take until the trees are made.
    private var pathBytes = Self.maximumPathBytes
    private var placeBytes = SavedLimits.placeBytes

    private static let maximumPathBytes = 64 << 20

    /// - Parameter exports: in the order of their serials.
    init(_ exports: [ListedExport], host: Host) {
        self.host = host
        self.exports = exports
        roots = exports.map { try? $0.export.rootPath() }
        indices = Dictionary(uniqueKeysWithValues: exports.enumerated().map { (ObjectIdentifier($1.export), $0) })
        found = exports.map { _ in [] }
    }

    /// Takes a place that a fid names. One that has no path below its share is left out.
    mutating func add(_ node: Node) {
        guard nodes.insert(ObjectIdentifier(node)).inserted, let index = indices[ObjectIdentifier(node.export)],
              let root = roots[index], let attributes = try? node.file.attributes(), attributes.links > 0,
              let absolute = try? host.names.path(of: node.file), let path = Self.relative(absolute, to: root),
              path.count <= pathBytes else { return }
        pathBytes -= path.count
        found[index].append(Found(path: path, identity: FileIdentity(attributes), node: ObjectIdentifier(node)))
    }

    private static func relative(_ path: [UInt8], to root: [UInt8]) -> [UInt8]? {
        guard path.starts(with: root) else { return nil }
        var rest = path[root.count...]
        if !rest.isEmpty, root.last != slash {
            guard rest.first == slash else { return nil }
            rest = rest.dropFirst()
        }
        return rest.map { $0 == slash ? 0 : $0 }
    }

    private static let slash = UInt8(ascii: "/")

    /// The shares, and where the places that were added are in them.
    mutating func finish() -> (shares: [SavedShare], places: [ObjectIdentifier: SavedFid.Place]) {
        var shares: [SavedShare] = []
        var places: [ObjectIdentifier: SavedFid.Place] = [:]
        for (index, listed) in exports.enumerated() {
            var tree = PlaceTree()
            for entry in found[index].sorted(by: { $0.path.lexicographicallyPrecedes($1.path) }) {
                guard let place = tree.add(entry.path, entry.identity, limit: placeBytes) else { continue }
                places[entry.node] = .file(share: index, place: place)
            }
            placeBytes -= tree.size
            shares.append(SavedShare(name: listed.export.name, serial: listed.serial, device: listed.export.rootDevice,
                                     places: tree.places))
        }
        return (shares, places)
    }
}

/// The places of one share, written down in the order of their paths.
private struct PlaceTree {
    private(set) var places: [SavedPlace] = []
    /// `SavedPlace.size` of all of them.
    private(set) var size = 0
    /// The path of the last place.
    private var names: [FileName] = []

    /// Writes down a place, and what leads to it; returns its index. nil when it would take the tree over the limit, or has a name
    /// that could not be asked for.
    mutating func add(_ path: [UInt8], _ identity: FileIdentity, limit: Int) -> Int? {
        var wanted: [FileName] = []
        for part in path.split(separator: 0) {
            guard let name = try? FileName(part) else { return nil }
            wanted.append(name)
        }
        var common = 0
        while common < min(names.count, wanted.count), names[common] == wanted[common] { common += 1 }
        if common == wanted.count, !places.isEmpty {
            if places[places.count - 1].identity == identity { return places.count - 1 }
            // Another file that says it is there: one of the two is not, which is found out when both are looked for.
            common -= 1
        }
        var new: [SavedPlace] = []
        if wanted.isEmpty || places.isEmpty { new.append(SavedPlace(depth: 0, name: nil, identity: nil)) }
        for index in max(common, 0)..<wanted.count {
            new.append(SavedPlace(depth: UInt16(index + 1), name: wanted[index], identity: nil))
        }
        new[new.count - 1].identity = identity
        let added = new.reduce(0) { $0 + $1.size }
        guard added <= limit - size else { return nil }
        size += added
        places += new
        names = wanted
        return places.count - 1
    }
}
