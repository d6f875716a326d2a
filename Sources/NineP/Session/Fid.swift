import LinuxSystem
import Synchronization

/// What a fid names.
enum Place: Sendable {
    /// The synthetic directory that holds the shares.
    case shares
    /// A file; and where it was found, which only Trename and Tremove ask for: they take the file by its name.
    case file(Node, foundIn: Node?, as: FileName?)
    /// A file that cannot be had any more: its share has been removed, or a restored session did not find it again.
    case gone
}

/// What a fid is used for.
enum FidUse: Sendable {
    case none
    case open(OpenFile)
    /// The synthetic directory, open.
    case listing
    case value(AttributeValue)
    case draft(AttributeDraft)
}

/// A client's name for a file. Requests for one fid may be served at the same time.
final class Fid: Sendable {
    /// The user that attached, P9_NONUNAME for nobody in particular.
    let user: UInt32

    private struct State {
        var place: Place
        var use: FidUse
    }

    private let state: Mutex<State>

    init(user: UInt32, _ place: Place, use: FidUse = .none) {
        self.user = user
        state = Mutex(State(place: place, use: use))
    }

    /// Throws `.stale` when there is no such place any more.
    func place() throws(Errno) -> Place {
        let place = state.withLock { $0.place }
        switch place {
        case .shares: break
        case .gone: throw .stale
        case .file(let node, _, _): try node.export.checkPresent()
        }
        return place
    }

    /// The file. Throws for the directory of shares, in which nothing can be changed.
    func node() throws(Errno) -> Node {
        guard case .file(let node, _, _) = try place() else { throw .readOnlyFileSystem }
        return node
    }

    /// The file, which is about to be changed.
    func writableNode() throws(Errno) -> Node {
        let node = try node()
        try node.export.checkWritable()
        return node
    }

    /// Throws `.stale` when there is no such place any more.
    func use() throws(Errno) -> FidUse {
        _ = try place()
        return state.withLock { $0.use }
    }

    /// The file that is open. Throws `.badDescriptor` when there is none.
    func openFile() throws(Errno) -> OpenFile {
        guard case .open(let file) = try use() else { throw .badDescriptor }
        return file
    }

    /// The open file, whatever has become of its share: for what ends its use.
    var lastUse: FidUse { state.withLock { $0.use } }

    /// Everything, whatever has become of its share.
    var all: (place: Place, use: FidUse) { state.withLock { ($0.place, $0.use) } }

    /// Starts a use, and changes the place where the use does. Throws `.invalidArgument` when there is one already.
    func begin(_ use: FidUse, at place: Place? = nil) throws(Errno) {
        let begun = state.withLock { state in
            guard case .none = state.use else { return false }
            if case .gone = state.place { return false }
            state.use = use
            if let place { state.place = place }
            return true
        }
        if !begun { throw .invalidArgument }
    }

    /// Names another file. Throws `.invalidArgument` while the fid is used.
    func move(to place: Place) throws(Errno) {
        let moved = state.withLock { state in
            guard case .none = state.use else { return false }
            state.place = place
            return true
        }
        if !moved { throw .invalidArgument }
    }

    /// The file has another name now.
    func renamed(into directory: Node, as name: FileName) {
        state.withLock { state in
            if case .file(let node, _, _) = state.place { state.place = .file(node, foundIn: directory, as: name) }
        }
    }

    /// Lets go of everything that belongs to a share that has been removed; returns what was open.
    func forget(_ export: Export) -> OpenFile? {
        // What ends here ends outside the lock.
        let state: State? = state.withLock { state in
            guard case .file(let node, _, _) = state.place, node.export === export else { return nil }
            defer { state = State(place: .gone, use: .none) }
            return state
        }
        if case .open(let file) = state?.use { return file }
        return nil
    }

    func forgetRemovedShare() {
        if case .file(let node, _, _) = state.withLock({ $0.place }), node.export.isRemoved { _ = forget(node.export) }
    }
}
