/// What an image runs on. Source: OCI image-spec, image-index.md.
public struct Platform: Hashable, Sendable, Codable, CustomStringConvertible {
    public var os: String
    public var architecture: String
    public var variant: String?
    public var osVersion: String?

    enum CodingKeys: String, CodingKey {
        case os, architecture, variant
        case osVersion = "os.version"
    }

    public init(os: String, architecture: String, variant: String? = nil) {
        self.os = os
        self.architecture = architecture
        self.variant = variant
    }

    /// The platform of the guests.
    public static let host = Platform(os: "linux", architecture: "amd64")

    /// Parses OS/ARCHITECTURE[/VARIANT]; `x86_64` and `aarch64` are other words for `amd64` and `arm64`.
    public init(_ text: String) throws(ImageError) {
        let parts = text.lowercased().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let allowed = { (part: String) in
            !part.isEmpty && part.utf8.count <= 64 && part.utf8.allSatisfy { byte in
                Digest.isDigit(byte) || (UInt8(ascii: "g")...UInt8(ascii: "z")).contains(byte) || "_.-".utf8.contains(byte)
            }
        }
        guard (2...3).contains(parts.count), parts.allSatisfy(allowed) else { throw .invalidPlatform(text) }
        self.init(os: parts[0], architecture: Self.common(parts[1]), variant: parts.count == 3 ? parts[2] : nil)
    }

    public var description: String {
        "\(os)/\(architecture)" + (variant.map { $0.isEmpty ? "" : "/\($0)" } ?? "")
    }

    private static func common(_ architecture: String) -> String {
        switch architecture {
        case "x86_64", "x86-64": "amd64"
        case "aarch64": "arm64"
        default: architecture
        }
    }

    /// Whether an image that says this of itself can be meant. Some say nothing.
    public func accepts(_ found: Platform) -> Bool {
        (found.os.isEmpty || found.os == os) && (found.architecture.isEmpty || found.architecture == architecture)
    }

    /// How well an image for `offered` suits where this one is wanted: the highest wins; nil where it does not run.
    ///
    /// amd64's variants are the levels v1 to v4 of the x86-64 ABI, each with instructions that the ones below it lack.
    /// Without a wish the most modest is taken, which runs everywhere; with one, the highest level up to it.
    func suitability(of offered: Platform) -> Int? {
        guard os == offered.os, architecture == Self.common(offered.architecture) else { return nil }
        let wanted = variant ?? ""
        let found = offered.variant ?? ""
        guard architecture == "amd64" else {
            return wanted.isEmpty || wanted == found ? (found.isEmpty ? 1 : 0) : nil
        }
        guard let wantedLevel = Self.level(wanted), let level = Self.level(found) else { return wanted == found ? 0 : nil }
        if wanted.isEmpty { return -level }
        return level <= wantedLevel ? level : nil
    }

    private static func level(_ variant: String) -> Int? {
        switch variant {
        case "", "v1": 1
        case "v2": 2
        case "v3": 3
        case "v4": 4
        default: nil
        }
    }
}
