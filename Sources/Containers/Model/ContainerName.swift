/// Names that users give containers, and that containers get by themselves.
public enum ContainerName {
    /// Throws unless the name is a letter or digit, followed by letters, digits, `_`, `.` and `-`: at most 128 in all.
    public static func check(_ name: String) throws(ContainerError) {
        func isPlain(_ byte: UInt8) -> Bool { (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) }
        guard let first = name.utf8.first, isPlain(first), name.utf8.count <= 128,
              name.utf8.allSatisfy({ isPlain($0) || $0 == 95 || $0 == 46 || $0 == 45 }) else {
            throw .invalid("name '\(name)': expected 1 to 128 letters, digits, '_', '.' and '-', the first a letter or digit")
        }
    }

    private static let qualities = [
        "able", "airy", "amber", "ample", "apt", "autumn", "bold", "brave", "breezy", "bright", "brisk", "calm", "candid", "chilly",
        "clear", "clever", "cosy", "crisp", "curious", "dapper", "daring", "deft", "eager", "early", "earnest", "easy", "fair",
        "fleet", "fond", "frank", "fresh", "gentle", "glad", "golden", "grand", "hardy", "hazel", "honest", "humble", "icy", "jolly",
        "keen", "kind", "late", "light", "lively", "lucid", "lunar", "mellow", "merry", "mild", "misty", "modest", "neat", "nimble",
        "noble", "olive", "patient", "plain", "polite", "prime", "proud", "quick", "quiet", "rapid", "ready", "rosy", "round",
        "rustic", "sandy", "serene", "sharp", "silent", "silver", "smooth", "snowy", "solid", "spry", "steady", "still", "sunny",
        "swift", "tidy", "trusty", "upbeat", "vast", "vivid", "warm", "wild", "wise", "witty", "young", "zesty",
    ]
    private static let things = [
        "acorn", "anchor", "apple", "arrow", "aspen", "badger", "basin", "beacon", "beech", "birch", "bridge", "brook", "canyon",
        "cedar", "cliff", "clover", "comet", "coral", "crane", "creek", "crow", "delta", "dune", "eagle", "elm", "ember", "falcon",
        "fern", "field", "finch", "fjord", "flint", "forest", "fox", "garden", "glacier", "grove", "harbor", "hare", "harvest",
        "hawk", "heron", "hill", "island", "ivy", "jay", "lagoon", "lake", "larch", "lark", "leaf", "lily", "linden", "lynx", "maple",
        "marsh", "meadow", "mesa", "moon", "moss", "oak", "orchid", "otter", "owl", "peak", "pebble", "pine", "plain", "pond",
        "poplar", "prairie", "quartz", "rain", "raven", "reed", "reef", "ridge", "river", "robin", "rowan", "sage", "shore", "sparrow",
        "spring", "spruce", "star", "stone", "stream", "summit", "swan", "thistle", "tide", "trail", "tulip", "valley", "walnut",
        "willow", "wren",
    ]

    /// Two words; from the third attempt on with a number, so that there is always a free one.
    static func random(attempt: Int) -> String {
        let name = "\(qualities[Int.random(in: 0..<qualities.count)])_\(things[Int.random(in: 0..<things.count)])"
        return attempt < 2 ? name : "\(name)_\(Int.random(in: 10..<100_000))"
    }
}
