import LinuxSystem

/// The host itself: ip(8), nft(8), /proc and /dev/net/tun.
public struct SystemNetworkHost: NetworkHost {
    public init() {}

    public func routes() throws(NetworkError) -> [Subnet] {
        // Of the thread: /proc/net is the process's.
        let version4 = RouteTable.version4(Self.text("/proc/thread-self/net/route"))
        return version4 + RouteTable.version6(Self.text("/proc/thread-self/net/ipv6_route"))
    }

    public func link(_ name: String) throws(NetworkError) -> HostLink? {
        guard NetworkInterface.exists(name) else { return nil }
        let text = try HostProgram("ip").check(["-o", "-d", "link", "show", "dev", name], for: "interface \(name)")
        return LinkListing.link(text)
    }

    public func ip(_ lines: [String], for what: String) throws(NetworkError) {
        guard !lines.isEmpty else { return }
        try HostProgram("ip").check(["-batch", "-"], input: lines.joined(separator: "\n") + "\n", for: what)
    }

    public func nft(_ script: String, for what: String) throws(NetworkError) {
        try HostProgram("nft").check(["-f", "-"], input: script, for: what)
    }

    public func setting(_ path: String) -> String? {
        contents(ofSmallFile: Self.settings + path, limit: 4096).map { String(decoding: $0, as: UTF8.self).filter { !$0.isNewline } }
    }

    public func set(_ path: String, _ value: String) throws(NetworkError) {
        do throws(Errno) {
            let file = try FileDescriptor.open(Self.settings + path, .writeOnly)
            let result = Array(value.utf8).withUnsafeBytes { bytes in Result { () throws(Errno) in try file.writeAll(bytes) } }
            try result.get()
        } catch {
            throw NetworkError("\(Self.settings)\(path): \(error), expected to be able to set it to \(value)")
        }
    }

    public func version6Interfaces() -> [String] {
        ((try? names(inDirectory: Self.settings + "ipv6/conf")) ?? []).filter { $0 != "all" && $0 != "default" }
    }

    public func makeTap() throws(NetworkError) -> HostTap {
        do throws(Errno) {
            // The kernel finds a number.
            let tap = try TapQueue(name: "svmmt%d", isMultiQueue: false)
            return HostTap(name: tap.name, file: try tap.file.duplicate())
        } catch {
            let advice = error == .noEntry || error == .noDevice ? "; load the module (modprobe tun)" : ""
            throw NetworkError("\(TapQueue.path): \(error)\(advice)")
        }
    }

    private static let settings = "/proc/sys/net/"

    private static func text(_ path: String) -> String {
        String(decoding: contents(ofSmallFile: path, limit: 16 << 20) ?? [], as: UTF8.self)
    }
}
