import OCI
import TestSupport
import Testing

/// What layers mean, told as simply as can be: a dictionary of paths.
private struct LayerModel {
    struct Entry {
        /// nil for a directory.
        var text: String?
        /// The last layer that put something here or below.
        var layer: Int
    }

    struct Refused: Error {}

    var entries: [String: Entry] = [:]
    var layer = 0
    private var hidden: [(path: String, isOpaque: Bool)] = []
    private var links: [(path: String, target: String)] = []

    mutating func directory(_ path: String) throws {
        try makeParents(path)
        if entries[path]?.text != nil || entries[path] == nil { removeTree(path) }
        entries[path] = Entry(text: nil, layer: layer)
    }

    mutating func file(_ path: String, _ text: String) throws {
        try makeParents(path)
        removeTree(path)
        entries[path] = Entry(text: text, layer: layer)
    }

    mutating func link(_ path: String, to target: String) throws {
        try makeParents(path)
        guard let entry = entries[target] else { return links.append((path, target)) }
        guard let text = entry.text else { throw Refused() }
        if path != target { try file(path, text) }
    }

    mutating func hide(_ path: String, isOpaque: Bool) { hidden.append((path, isOpaque)) }

    mutating func endLayer() throws {
        let late = links
        links = []
        for (path, target) in late {
            try link(path, to: target)
            if !links.isEmpty { throw Refused() }
        }
        for (path, isOpaque) in hidden {
            if isOpaque, entries[path]?.text != nil { continue }
            entries = entries.filter { name, entry in
                !(entry.layer < layer && (name.hasPrefix(path + "/") || (name == path && !isOpaque)))
            }
        }
        hidden = []
    }

    private mutating func makeParents(_ path: String) throws {
        var parent = ""
        for part in path.split(separator: "/").dropLast() {
            parent += "/\(part)"
            if let entry = entries[parent], entry.text != nil {
                guard entry.layer < layer else { throw Refused() }
                entries[parent] = nil
            }
            entries[parent] = Entry(text: nil, layer: layer)
        }
    }

    private mutating func removeTree(_ path: String) {
        entries = entries.filter { $0.key != path && !$0.key.hasPrefix(path + "/") }
    }
}

@Suite("Random layers")
struct LayerModelTests {
    private static func path(_ random: inout SplitMix64) -> String {
        (0...random.below(3)).map { _ in "/" + random.pick(["a", "b", "c"]) }.joined()
    }

    @Test("come out as a simple model says", arguments: 0..<8 as Range<UInt64>)
    func model(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let test = try TestStore()
        var accepted = 0
        for round in 0..<40 {
            let what = "seed \(seed) round \(round)"
            var model = LayerModel()
            var layers: [[UInt8]] = []
            var isRefused = false
            for layer in 1...(1 + random.below(4)) {
                var builder = TarBuilder()
                model.layer = layer
                do {
                    for entry in 0..<random.below(12) {
                        let path = Self.path(&random), name = String(path.dropFirst())
                        let parent = name.split(separator: "/").dropLast().joined(separator: "/")
                        switch random.below(10) {
                        case 0...2:
                            builder.directory(name)
                            try model.directory(path)
                        case 3...5:
                            builder.file(name, "\(layer) \(entry)")
                            try model.file(path, "\(layer) \(entry)")
                        case 6:
                            // Mostly a file that is there: a layer with a link to nothing ends the image.
                            let files = model.entries.filter { $0.value.text != nil }.keys.sorted()
                            if files.isEmpty, random.below(10) > 0 { continue }
                            let target = files.isEmpty || random.below(10) == 0 ? Self.path(&random) : random.pick(files)
                            builder.hardLink(name, to: String(target.dropFirst()))
                            try model.link(path, to: target)
                        case 7:
                            builder.opaque(name)
                            model.hide(path, isOpaque: true)
                        default:
                            builder.whiteout(String(path.split(separator: "/").last ?? ""), in: parent)
                            model.hide(path, isOpaque: false)
                        }
                    }
                    try model.endLayer()
                } catch is LayerModel.Refused {
                    isRefused = true
                }
                layers.append(builder.archive)
                if isRefused { break }
            }
            let image = try test.add(TestImage(layers))
            do {
                let root = try test.store.rootImage(for: image)
                #expect(!isRefused, "\(what)")
                accepted += 1
                let listing = try Ext4Listing(root.path)
                let expected = model.entries.map { $0.value.text == nil ? $0.key + "/" : $0.key }.sorted()
                #expect(listing.paths == expected, "\(what)")
                for (path, entry) in model.entries {
                    if let text = entry.text { #expect(listing.text(path) == text, "\(what) \(path)") }
                }
                if round % 8 == 0 { #expect(try complaints(about: root.path) == "", "\(what)") }
            } catch let error as ImageError {
                #expect(isRefused, "\(what): \(error)")
            }
            try test.store.remove(image)
            _ = try test.store.collectGarbage()
        }
        #expect(accepted > 10)
    }
}
