import AgentCore
import AgentProtocol

/// The connection by which the host asks and is told.
final class Control {
    private let channel: Channel
    private var reader = FrameReader()
    private var waiting: [UInt8] = []
    private var sent = 0
    private(set) var isLost = false {
        // An end is there to be read again and again.
        didSet { channel.want(0) }
    }
    /// Whether it was given up because of what the host sent.
    private(set) var isNonsense = false
    /// While the host takes no answers it gets no new ones.
    private static let backlog = 1 << 20

    init(_ loop: Loop) throws(Errno) {
        channel = Channel(owning: try descriptor(agent_connect_host(AgentChannel.controlPort)), .control, loop)
        channel.want(Channel.readable)
    }

    func close() { channel.close() }

    func send(_ message: AgentMessage) {
        guard !isLost else { return }
        waiting += message.frame
        flush()
    }

    private func flush() {
        while sent < waiting.count {
            let count = waiting[sent...].withUnsafeBytes { bytes in retrying { write(channel.file, bytes.baseAddress, bytes.count) } }
            if count > 0 {
                sent += count
            } else {
                if agent_errno() != EAGAIN { isLost = true }
                break
            }
        }
        if sent == waiting.count {
            waiting = []
            sent = 0
        }
        watch()
    }

    private func watch() {
        guard !isLost else { return }
        channel.want((waiting.count - sent < Self.backlog ? Channel.readable : 0) | (waiting.isEmpty ? 0 : Channel.writable))
    }

    /// Takes what has come, and hands over each request.
    func advance(_ scratch: UnsafeMutableRawBufferPointer, _ body: (UInt32, AgentRequest) -> Void) {
        flush()
        guard !isLost, waiting.count - sent < Self.backlog else { return }
        let count = retrying { read(channel.file, scratch.baseAddress, scratch.count) }
        if count < 0, agent_errno() == EAGAIN { return }
        guard count > 0 else {
            isLost = true
            return
        }
        reader.append(UnsafeRawBufferPointer(rebasing: scratch[..<count]))
        while let frame = nextFrame() {
            guard let message = try? AgentRequest.decode(frame) else {
                giveUp("the host sent a request that is none")
                return
            }
            body(message.number, message.request)
        }
    }

    private func nextFrame() -> [UInt8]? {
        do throws(FrameReader.BadLength) {
            return try reader.next()
        } catch {
            giveUp("the host sent a frame of a length that none may have")
            return nil
        }
    }

    private func giveUp(_ words: String) {
        log(words)
        isNonsense = true
        isLost = true
    }

    /// Sends everything, says that nothing follows, and waits until the host has seen it, for a moment.
    func finish() {
        var entry = pollfd(fd: channel.file, events: Int16(POLLOUT), revents: 0)
        while !isLost, !waiting.isEmpty, poll(&entry, 1, 1000) > 0 { flush() }
        channel.shutDown(SHUT_WR)
        entry.events = Int16(POLLIN)
        var byte: UInt8 = 0
        while !isLost, poll(&entry, 1, 1000) > 0 {
            if read(channel.file, &byte, 1) <= 0 { return }
        }
    }
}

/// A line for the kernel's log, which is the console where there is one.
func log(_ words: String) {
    let file = agent_open("/dev/kmsg", O_WRONLY, 0)
    guard file >= 0 else { return }
    try? writeAll(file, Array("<3>svmm-init: \(words)\n".utf8))
    close(file)
}
