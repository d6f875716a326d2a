import LinuxSystem

/// Where one pair of queues has its frames from, and where they go.
public final class NetworkPort: Sendable {
    /// How frames cross it.
    enum Form: Sendable {
        /// One frame in each read or write, behind the header that the guest sees.
        case tap
        /// One frame in each read or write.
        case frames
        /// A stream of frames, the length of each before it (passt(1), QEMU's `-netdev stream`).
        case stream
    }

    private enum Storage: ~Copyable {
        case tap(TapQueue)
        case socket(FileDescriptor)
    }

    /// What moving a frame needs, at hand without the object.
    struct Way {
        let form: Form
        let raw: Int32
    }

    let form: Form
    /// The descriptor, which does not block. Borrowed.
    public let raw: Int32
    var way: Way { Way(form: form, raw: raw) }
    private let storage: Storage

    public init(_ tap: consuming TapQueue) {
        raw = tap.file.raw
        form = tap.hasHeader ? .tap : .frames
        storage = .tap(tap)
    }

    /// A connected socket. Throws when it is none.
    public init(socket: consuming FileDescriptor) throws(Errno) {
        let kind = try socketKind(socket.raw)
        try socket.setNonBlocking()
        form = kind == .stream ? .stream : .frames
        raw = socket.raw
        // A frame of 64 KiB goes in one write.
        setSocketBuffers(raw, bytes: 4 << 20)
        storage = .socket(socket)
    }

    /// What frames read from here may be, from now on.
    func setOffloads(_ offloads: TapOffloads) throws(Errno) {
        switch storage {
        case .tap(let tap): if tap.hasHeader { try tap.setOffloads(offloads) }
        case .socket: break
        }
    }

    /// Whether this one of several queues gets frames.
    func setAttached(_ isAttached: Bool) throws(Errno) {
        switch storage {
        case .tap(let tap): if tap.isMultiQueue { try tap.setAttached(isAttached) }
        case .socket: break
        }
    }
}
