/// What an event is about: the key under which a descriptor is watched.
enum EventKey: Equatable {
    case control
    case children
    case memory
    case timer
    case button(Int32)
    /// Any descriptor of a process: it looks at all of them.
    case process(UInt32)
    case job(UInt32)

    var packed: UInt64 {
        switch self {
        case .control: 0
        case .children: 1 << 32
        case .memory: 2 << 32
        case .timer: 3 << 32
        case .button(let file): 4 << 32 | UInt64(UInt32(bitPattern: file))
        case .process(let number): 5 << 32 | UInt64(number)
        case .job(let number): 6 << 32 | UInt64(number)
        }
    }

    init?(packed: UInt64) {
        let number = UInt32(truncatingIfNeeded: packed)
        switch packed >> 32 {
        case 0: self = .control
        case 1: self = .children
        case 2: self = .memory
        case 3: self = .timer
        case 4: self = .button(Int32(bitPattern: number))
        case 5: self = .process(number)
        case 6: self = .job(number)
        default: return nil
        }
    }
}

/// The one place where the agent waits.
final class Loop {
    fileprivate let epoll: Int32

    init() throws(Errno) {
        epoll = try descriptor(epoll_create1(Int32(EPOLL_CLOEXEC)))
    }

    /// Waits, then says for each key that has something to do so, once.
    func wait(_ body: (EventKey) -> Void) {
        var keys = [UInt64](repeating: 0, count: 64)
        var events = [UInt32](repeating: 0, count: 64)
        let count = Int(agent_epoll_wait(epoll, &keys, &events))
        guard count > 0 else { return }
        for index in 0..<count where !keys[..<index].contains(keys[index]) {
            if let key = EventKey(packed: keys[index]) { body(key) }
        }
    }
}

/// An owned descriptor of the loop. It is watched only for what is wanted of it, and not at all when that is nothing: an end that nobody
/// waits for would wake the loop again and again.
final class Channel {
    private(set) var file: Int32
    private let key: EventKey
    private let loop: Loop
    private var watched: UInt32 = 0

    static let readable = UInt32(1)  // EPOLLIN
    static let urgent = UInt32(2)  // EPOLLPRI
    static let writable = UInt32(4)  // EPOLLOUT

    init(owning file: Int32, _ key: EventKey, _ loop: Loop) {
        self.file = file
        self.key = key
        self.loop = loop
        _ = agent_set_nonblocking(file)
    }

    var isOpen: Bool { file >= 0 }

    func want(_ events: UInt32) {
        guard isOpen, events != watched else { return }
        let operation = watched == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD
        if agent_epoll_change(loop.epoll, operation, file, events, key.packed) == 0 { watched = events }
    }

    func close() {
        guard isOpen else { return }
        want(0)
        _ = svmm_init.close(file)
        file = -1
    }

    /// Of a socket: one direction or both. `SHUT_RD`, `SHUT_WR`…
    func shutDown(_ how: Int32) {
        if isOpen { _ = shutdown(file, how) }
    }

    deinit {
        if file >= 0 { _ = svmm_init.close(file) }
    }
}
