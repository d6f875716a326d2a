import AgentProtocol

/// What connects a process's standard streams with the host.
final class ProcessStreams {
    /// What the process gets as 0, 1 and 2; the agent closes its own copies once it runs.
    private(set) var ends: [Int32] = []
    /// The controlling side of its terminal.
    private var terminal: Channel?
    /// Keeps the terminal from hanging up while the process lives, even if it closes and opens it.
    private var terminalPeer: Int32 = -1

    private var sockets: [Channel] = []
    private var pipes: [Channel] = []
    private var inward: Flow?
    private var outward: [Flow] = []

    private let key: EventKey
    private let loop: Loop

    /// What a drained terminal may still hold: the kernel limits its buffers to less.
    private static let terminalLimit = 1 << 20

    init(_ streams: ProcessConfiguration.Streams, terminal size: ProcessConfiguration.TerminalSize?, devices: Int32, _ key: EventKey,
         _ loop: Loop) throws(AgentFailure) {
        self.key = key
        self.loop = loop
        do throws(Errno) {
            if let size {
                try makeTerminal(streams, size, devices)
            } else {
                try makePipes(streams)
            }
        } catch {
            close()
            throw AgentFailure(.failed, "standard streams: \(error.text)")
        }
    }

    deinit { close() }

    private func makeTerminal(
        _ streams: ProcessConfiguration.Streams, _ size: ProcessConfiguration.TerminalSize, _ devices: Int32
    ) throws(Errno) {
        let controller = Channel(owning: try descriptor(agent_openat(devices, "ptmx", O_RDWR | O_NOCTTY, 0)), key, loop)
        pipes.append(controller)
        terminal = controller
        terminalPeer = try descriptor(agent_terminal_peer(controller.file))
        resize(size)
        ends = [try duplicate(terminalPeer), try duplicate(terminalPeer), try duplicate(terminalPeer)]
        guard streams.input != 0 else {
            outward = [Flow(from: controller, to: try openNull(O_WRONLY))]
            return
        }
        let socket = try connect(streams.input)
        inward = Flow(from: socket, to: controller)
        outward = [Flow(from: controller, to: socket)]
    }

    private func makePipes(_ streams: ProcessConfiguration.Streams) throws(Errno) {
        let output: Int32
        if streams.input != 0 {
            let socket = try connect(streams.input)
            if streams.hasInput {
                let pipe = try makePipe()
                ends.append(pipe.read)
                inward = Flow(from: socket, to: adopt(pipe.write))
            } else {
                ends.append(try openFile("/dev/null", O_RDONLY))
            }
            let pipe = try makePipe()
            output = pipe.write
            outward.append(Flow(from: adopt(pipe.read), to: socket))
        } else {
            ends.append(try openFile("/dev/null", O_RDONLY))
            output = try openFile("/dev/null", O_WRONLY)
        }
        ends.append(output)
        guard streams.errors != 0 else {
            ends.append(try openFile("/dev/null", O_WRONLY))
            return
        }
        let socket = try connect(streams.errors)
        let pipe = try makePipe()
        ends.append(pipe.write)
        outward.append(Flow(from: adopt(pipe.read), to: socket))
    }

    private func adopt(_ file: Int32) -> Channel {
        let channel = Channel(owning: file, key, loop)
        pipes.append(channel)
        return channel
    }

    private func openNull(_ flags: Int32) throws(Errno) -> Channel {
        adopt(try openFile("/dev/null", flags))
    }

    private func duplicate(_ file: Int32) throws(Errno) -> Int32 {
        try descriptor(agent_duplicate(file))
    }

    private func connect(_ token: UInt64) throws(Errno) -> Channel {
        let channel = Channel(owning: try openStream(token), key, loop)
        sockets.append(channel)
        return channel
    }

    /// The process has its own copies, or never will.
    func closeEnds() {
        for end in ends { _ = svmm_init.close(end) }
        ends = []
    }

    func resize(_ size: ProcessConfiguration.TerminalSize) {
        if let terminal, terminal.isOpen { _ = agent_set_terminal_size(terminal.file, size.columns, size.rows) }
    }

    var hasTerminal: Bool { terminal != nil }

    /// The process has ended: what it has written is still carried to the host, nothing more to the process.
    func processHasEnded() {
        if terminalPeer >= 0 {
            _ = svmm_init.close(terminalPeer)
            terminalPeer = -1
        }
        if let inward, !inward.isSettled {
            inward.cancel()
            settle(inward)
        }
        for flow in outward where flow.end == nil {
            flow.drain(limit: hasTerminal ? Self.terminalLimit : Int(agent_readable_count(flow.source.file)))
        }
    }

    /// Whether everything that was written has been handed to the host's streams.
    var areDrained: Bool { outward.allSatisfy { $0.isSettled } }

    /// Moves what can be moved, and says what is to be waited for.
    func pump(_ scratch: UnsafeMutableRawBufferPointer) {
        for flow in outward { advance(flow, scratch) }
        if let inward { advance(inward, scratch) }
        for channel in sockets + pipes where channel.isOpen {
            var events: UInt32 = 0
            for flow in outward { events |= wanted(of: channel, by: flow) }
            if let inward { events |= wanted(of: channel, by: inward) }
            channel.want(events)
        }
    }

    private func wanted(of channel: Channel, by flow: Flow) -> UInt32 {
        (flow.source === channel && flow.wantsToRead ? Channel.readable : 0)
            | (flow.destination === channel && flow.wantsToWrite ? Channel.writable : 0)
    }

    private func advance(_ flow: Flow, _ scratch: UnsafeMutableRawBufferPointer) {
        guard !flow.isSettled else { return }
        flow.advance(scratch)
        if flow.end != nil { settle(flow) }
    }

    /// Passes an end on, once.
    private func settle(_ flow: Flow) {
        guard !flow.isSettled else { return }
        flow.isSettled = true
        if flow === inward {
            // A terminal's end of input is a character; that of the host's stream means nothing to it.
            if !hasTerminal { flow.destination.close() }
            if flow.end == .ofDestination { flow.source.shutDown(SHUT_RD) }
        } else {
            // A process whose output the host does not want any more gets SIGPIPE, or SIGHUP with a terminal.
            if !hasTerminal || flow.end == .ofDestination { flow.source.close() }
            flow.destination.shutDown(SHUT_WR)
        }
    }

    func close() {
        closeEnds()
        if terminalPeer >= 0 { _ = svmm_init.close(terminalPeer) }
        terminalPeer = -1
        for channel in sockets + pipes { channel.close() }
    }
}

/// Connects a byte stream that a request names.
func openStream(_ token: UInt64) throws(Errno) -> Int32 {
    let socket = try descriptor(agent_connect_host(AgentChannel.streamPort))
    do throws(Errno) {
        try writeAll(socket, (0..<8).map { UInt8(truncatingIfNeeded: token >> UInt64(8 * $0)) })
    } catch {
        close(socket)
        throw error
    }
    return socket
}
