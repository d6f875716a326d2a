import Devices
import LinuxSystem
import MachineProtocol
import NineP
import Synchronization

/// The 9p devices of a machine: their servers, made before the machine starts, and used again by the next one when it restarts.
final class PreparedShares: Sendable {
    /// One device.
    struct Server: Sendable {
        let tag: String
        let server: NinePServer
        /// Whether shares can be added: the device shows a directory of them.
        let hasDirectory: Bool
    }

    /// Shares of a machine: as many as one message can list.
    private static let maximumCount = 128

    let servers: [Server]
    private let all: Mutex<[ShareDescription]>

    /// Opens and checks every share.
    init(_ description: MachineDescription) throws(MachineError) {
        let tags = Self.tags(description)
        try Self.check(description)
        var options = NinePOptions()
        // Half of the descriptors that the process may have, for all servers together; the rest is for sockets and all else.
        options.maximumDescriptors = max(CurrentProcess.descriptorLimit() / 2 / max(tags.count, 1), 16)
        options.lockWaiters = FileSharingDevice.threadCount / 2
        var servers: [Server] = []
        for tag in tags {
            let shares = description.shares.filter { $0.tag == tag }
            if let single = shares.first, single.name == nil {
                let server = try Self.asOption(single) { () throws(ShareError) in
                    try NinePServer(share: Share(single), options: options)
                }
                servers.append(Server(tag: tag, server: server, hasDirectory: false))
                continue
            }
            let server = try Self.asOption(shares.first) { () throws(ShareError) in try NinePServer(options: options) }
            for share in shares { try Self.asOption(share) { () throws(ShareError) in try server.add(Share(share)) } }
            servers.append(Server(tag: tag, server: server, hasDirectory: true))
        }
        self.servers = servers
        all = Mutex(description.shares)
    }

    /// The tags in the order in which they are first named: one device each.
    static func tags(_ description: MachineDescription) -> [String] {
        var tags: [String] = []
        for tag in description.shareRoots + description.shares.map(\.tag) where !tags.contains(tag) { tags.append(tag) }
        return tags
    }

    private static func check(_ description: MachineDescription) throws(MachineError) {
        for tag in description.shareRoots + description.shares.map(\.tag) {
            guard FileSharingDevice.tagLengths.contains(tag.utf8.count), !tag.utf8.contains(0) else {
                throw MachineError("--share …:\(tag): a tag of \(tag.utf8.count) bytes, expected 1 to \(FileSharingDevice.tagLengths.upperBound) and no NUL", status: ExitStatus.usage)
            }
        }
        for (index, share) in description.shares.enumerated() where share.name == nil {
            let isTaken = description.shareRoots.contains(share.tag)
                || description.shares.enumerated().contains { $0.offset != index && $0.element.tag == share.tag }
            guard !isTaken else {
                throw MachineError("\(option(share)): the tag \(share.tag) is used twice, expected one of its own, or \(share.tag)/NAME for several directories by one tag", status: ExitStatus.usage)
            }
        }
    }

    /// What is shared now.
    var list: [ShareDescription] { all.withLock { $0 } }

    /// Adds a share to a running machine. The reason when that is not possible, a line for the user.
    func add(_ share: ShareDescription) -> String? {
        guard list.count < Self.maximumCount else {
            return "\(share.tag): \(Self.maximumCount) shares already, expected fewer; remove one first"
        }
        guard let name = share.name, let target = server(share.tag) else { return noDirectory(share.tag) }
        do throws(ShareError) {
            try target.add(Share(share))
        } catch {
            return "share \(share.tag)/\(name): \(error)"
        }
        all.withLock { $0.append(share) }
        return nil
    }

    /// Takes a share away. The reason when that is not possible, a line for the user.
    func remove(tag: String, name: String) -> String? {
        guard let target = server(tag) else { return noDirectory(tag) }
        guard target.remove(name) else { return "\(tag)/\(name): there is no such share" }
        all.withLock { shares in shares.removeAll { $0.tag == tag && $0.name == name } }
        return nil
    }

    private func server(_ tag: String) -> NinePServer? {
        servers.first { $0.tag == tag && $0.hasDirectory }?.server
    }

    private func noDirectory(_ tag: String) -> String {
        let known = servers.filter(\.hasDirectory).map(\.tag)
        return "\(tag): no device with a directory of shares, expected TAG/NAME with a TAG that svmm boot was given by --share-root or --share …:TAG/NAME"
            + (known.isEmpty ? " (none)" : ": " + known.joined(separator: ", "))
    }

    private static func option(_ share: ShareDescription) -> String {
        "--share …:\(share.tag)" + (share.name.map { "/" + $0 } ?? "")
    }

    private static func asOption<Result>(
        _ share: ShareDescription?, _ body: () throws(ShareError) -> Result
    ) throws(MachineError) -> Result {
        do throws(ShareError) {
            return try body()
        } catch {
            throw MachineError("\(share.map(option) ?? "--share-root"): \(error)")
        }
    }
}

extension Share {
    /// As the user described it; who owns the files follows from who svmm runs as, where that was left open.
    init(_ description: ShareDescription) {
        let isRoot = CurrentProcess.user == 0
        let ownership: Ownership = switch description.ownership {
        case .automatic: isRoot ? .passthrough : .squash(user: nil, group: nil)
        case .passthrough: .passthrough
        case .mapped: .mapped
        case .squash(let user, let group): .squash(user: user, group: group)
        }
        self.init(name: description.name ?? description.tag, path: description.path, isReadOnly: description.readOnly,
                  ownership: ownership, specialFiles: description.allowsDevices ? .all : .harmless)
    }
}
