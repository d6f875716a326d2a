import CommandSupport
import Containers

extension ContainerMount {
    /// `--mount type=volume|bind|tmpfs,source=…,destination=…,…`: words that are unknown, or of another type, are errors.
    static func parse(mount text: String) throws(Expected) -> ContainerMount {
        var words = try MountWords(text)
        let type = try words.take("type") ?? "volume"
        guard let target = try words.take("destination") else { throw Expected("destination=PATH, found '\(text)'") }
        let isReadOnly = try words.flag("readonly") ?? false
        let options: Containers.MountOptions = isReadOnly ? [.readOnly] : []
        let mount: ContainerMount
        switch type {
        case "bind":
            let given = try words.take("source") ?? ""
            guard let source = try hostPath(given) else { throw Expected("source=HOSTPATH with a / in it, found 'source=\(given)'") }
            let ownership = try words.take("uidmap").map { text throws(Expected) in try MountOwnership(parsing: text[...]) }
            mount = .bind(source: source, destination: try destination(target), options: options, ownership: ownership)
        case "tmpfs":
            let size = try words.take("tmpfs-size").map { value throws(Expected) in try Sizes.bytes(value) } ?? 0
            let mode = try words.take("tmpfs-mode").map { value throws(Expected) in try parseMode(value) } ?? 0o1777
            mount = .temporary(destination: try destination(target), size: size, mode: mode, options: options.union(temporaryDefaults))
        case "volume":
            let name = try words.take("source").map { text throws(Expected) in try volumeName(text) }
            let creation = try VolumeOptions(parsing: words.takeAll("volume-opt"))
            let copiesImage = try !(words.flag("volume-nocopy") ?? false)
            mount = .volume(VolumeMount(name: name, destination: try destination(target), options: options, copiesImage: copiesImage,
                                        creation: creation))
        default: throw Expected("type=volume, bind or tmpfs, found 'type=\(type)'")
        }
        if let word = words.rest.first {
            throw Expected("\(MountWords.known(type)) with type=\(type), found '\(word)'")
        }
        return mount
    }
}

/// KEY=VALUE words with commas between them, of which each is asked for.
private struct MountWords {
    private var values: [(key: String, value: String?, given: String)] = []

    private static let aliases = [
        "src": "source", "dst": "destination", "target": "destination", "ro": "readonly", "nocopy": "volume-nocopy", "size": "tmpfs-size",
        "mode": "tmpfs-mode",
    ]

    static func known(_ type: String) -> String {
        let own = ["bind": "source and uidmap", "tmpfs": "tmpfs-size and tmpfs-mode"][type] ?? "source, volume-opt and volume-nocopy"
        return "destination, readonly, \(own)"
    }

    init(_ text: String) throws(Expected) {
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            values.append((Self.aliases[parts[0]] ?? parts[0], parts.count == 2 ? parts[1] : nil, parts[0]))
        }
    }

    /// The keys that nobody has asked for, as they were given.
    var rest: [String] { values.map(\.given) }

    mutating func takeAll(_ key: String) throws(Expected) -> [String] {
        var found: [String] = []
        for entry in values where entry.key == key {
            guard let value = entry.value else { throw Expected("\(key)=VALUE, found '\(key)'") }
            found.append(value)
        }
        values.removeAll { $0.key == key }
        return found
    }

    mutating func take(_ key: String) throws(Expected) -> String? {
        let found = try takeAll(key)
        guard found.count <= 1 else { throw Expected("each word once, found '\(key)' again") }
        return found.first
    }

    /// A word that may stand without a value.
    mutating func flag(_ key: String) throws(Expected) -> Bool? {
        for index in values.indices where values[index].key == key && values[index].value == nil { values[index].value = "true" }
        guard let text = try take(key) else { return nil }
        switch text {
        case "true", "1": return true
        case "false", "0": return false
        default: throw Expected("\(key)=true or false, found '\(key)=\(text)'")
        }
    }
}

extension VolumeOptions {
    /// `type=ext4|9p` and `size=SIZE`, in one text with commas or in several; nil for none.
    init?(parsing texts: [String]) throws(Expected) {
        guard !texts.isEmpty else { return nil }
        var (kind, size): (VolumeKind?, UInt64?) = (nil, nil)
        for word in texts.flatMap({ $0.split(separator: ",", omittingEmptySubsequences: false) }) {
            if word.hasPrefix("type="), kind == nil, let found = VolumeKind(rawValue: String(word.dropFirst(5))) {
                kind = found
            } else if word.hasPrefix("size="), size == nil {
                size = try Self.size(String(word.dropFirst(5)))
            } else {
                throw Expected("type=ext4 or type=9p, and size=SIZE, each once, found '\(word)'")
            }
        }
        self.init(kind: kind ?? .disk, size: size)
        guard size == nil || self.kind == .disk else {
            throw Expected("size=SIZE with type=ext4 only, found it with type=9p: a directory is as large as the host's file system allows")
        }
    }

    /// Of a disk, in whole blocks.
    static func size(_ text: String) throws(Expected) -> UInt64 {
        let bytes = try Sizes.bytes(text, "a size such as 10g")
        guard ContainerVolume.sizes.contains(bytes), bytes % 4096 == 0 else {
            throw Expected("a multiple of 4096 bytes, at least 16m and less than 16t, found '\(text)'")
        }
        return bytes
    }
}
