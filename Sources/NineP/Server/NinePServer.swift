import LinuxSystem
import Synchronization

/// A server of 9P2000.L: the shares, and the sessions of the clients that use them. It knows no transport.
///
/// Every function may be called from any thread.
public final class NinePServer: Sendable {
    private struct State {
        var exports: [FileName: ListedExport] = [:]
        /// Of the share added last.
        var serial: UInt64 = 0
        var sessions: [WeakSession] = []
    }

    private struct WeakSession {
        weak var session: NinePSession?
    }

    let host: Host
    let options: NinePOptions
    /// Whether clients see a directory that holds the shares, or the one share itself.
    let root: Root
    /// When the directory of shares came to be.
    let startTime: FileTime
    private let state = Mutex(State())

    enum Root: Sendable {
        case shares
        case share(Export)
    }

    /// A server whose root is a synthetic directory: shares, directories and single files, appear in it by name, and come and go while
    /// it is used. Clients can change nothing in it.
    public init(options: NinePOptions = NinePOptions()) throws(ShareError) {
        self.options = options
        host = try Self.host(options)
        root = .shares
        startTime = FileTime(now: Clock.realTimeNanoseconds())
    }

    /// A server whose root is the directory of one share.
    public init(share: Share, options: NinePOptions = NinePOptions()) throws(ShareError) {
        self.options = options
        host = try Self.host(options)
        let export = try Export(share, host: host)
        // A client mounts a directory.
        guard export.rootType == .directory else { throw .notDirectory(path: share.path) }
        root = .share(export)
        startTime = FileTime(now: Clock.realTimeNanoseconds())
    }

    private static func host(_ options: NinePOptions) throws(ShareError) -> Host {
        do throws(Errno) {
            return try Host(maximumDescriptors: options.maximumDescriptors)
        } catch {
            throw .system(error)
        }
    }

    /// Adds a share to the synthetic root; clients see it at once. A server of one share shows no other.
    public func add(_ share: Share) throws(ShareError) {
        let export = try Export(share, host: host)
        let isNew = state.withLock { state in
            guard state.exports[export.name] == nil else { return false }
            state.serial += 1
            state.exports[export.name] = ListedExport(serial: state.serial, export: export)
            return true
        }
        guard isNew else { throw .nameTaken(share.name) }
    }

    /// Takes a share away while clients use it: what they ask of its files from now on is answered ESTALE. Requests
    /// under way finish. Nothing of the share stays open. False when there is no share of that name.
    @discardableResult
    public func remove(_ name: String) -> Bool {
        guard let name = try? FileName(name.utf8) else { return false }
        let (export, sessions) = state.withLock { state in
            (state.exports.removeValue(forKey: name)?.export, state.sessions.compactMap(\.session))
        }
        guard let export else { return false }
        export.remove()
        for session in sessions { session.forget(export) }
        return true
    }

    /// A session for one client: one virtio device, from reset to reset.
    public func makeSession() -> NinePSession {
        let session = NinePSession(server: self)
        state.withLock { state in
            state.sessions.removeAll { $0.session == nil }
            state.sessions.append(WeakSession(session: session))
        }
        return session
    }

    /// Descriptors in use for places and open files.
    public var descriptorsInUse: Int { host.budget.inUse }

    func export(named name: FileName) -> Export? {
        state.withLock { $0.exports[name]?.export }
    }

    /// In the order of their serials, those after `serial`.
    func exports(after serial: UInt64) -> [ListedExport] {
        state.withLock { state in
            state.exports.values.filter { $0.serial > serial }.sorted { $0.serial < $1.serial }
        }
    }

    /// The serial of the share added last.
    var lastSerial: UInt64 { state.withLock { $0.serial } }

    /// Gives shares the serials that they had in another server, whose last one was `last`; the others come after that.
    func renumber(_ serials: [FileName: UInt64], last: UInt64) {
        state.withLock { state in
            state.serial = last
            for listed in state.exports.values.sorted(by: { $0.serial < $1.serial }) {
                let name = listed.export.name
                if let serial = serials[name] {
                    state.exports[name]?.serial = serial
                } else {
                    state.serial += 1
                    state.exports[name]?.serial = state.serial
                }
            }
        }
    }
}

/// A share in the synthetic directory.
struct ListedExport {
    /// Grows with every share added: the order of listings, and the cookie in them.
    var serial: UInt64
    let export: Export
}

extension FileTime {
    fileprivate init(now: UInt64) {
        self.init(seconds: Int64(clamping: now / 1_000_000_000), nanoseconds: UInt32(now % 1_000_000_000))
    }
}
