/// The addresses in a container's user network. It is the container's alone, so that all have the same.
enum UserNetworkPlan {
    static let address = "10.0.2.15"
    static let gateway = "10.0.2.2"
    /// Where passt answers for the host's own resolver.
    static let resolver = "10.0.2.3"
    static let prefixLength: UInt8 = 24
    static let range = "10.0.2.0/24"

    /// Whether a container may have the address, four bytes.
    static func isUsable(_ bytes: [UInt8]) -> Bool {
        bytes.starts(with: [10, 0, 2]) && (4...254).contains(bytes[3])
    }
}
