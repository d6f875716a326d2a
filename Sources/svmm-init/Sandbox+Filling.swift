import AgentCore
import AgentProtocol

extension Sandbox {
    /// Milliseconds between two looks at how far a copy is.
    private static let lookInterval: Int32 = 5000

    /// Gives a volume what the image has at its place, the directory's owner and mode included, and has it written: what comes after an
    /// answer of the host's may rely on it. What an attempt that was cut short has left there is overwritten.
    ///
    /// - Parameter progress: called while the copy goes on. One that stands still is not spoken for.
    func fill(_ volume: Volume, from place: Resolver.Place, _ progress: () -> Void) throws(AgentFailure) {
        let source = CPath(place.path) { agent_open($0, O_RDONLY | O_DIRECTORY, 0) }
        let target = agent_open(volume.source, O_RDONLY | O_DIRECTORY, 0)
        defer { for file in [source, target] where file >= 0 { _ = close(file) } }
        guard source >= 0, target >= 0 else { throw failure(volume, Errno.current.text) }
        guard try copy(source, to: target, volume, progress) else {
            throw failure(volume, "the console says why")
        }
        // The writes of 9p have reached the host already.
        guard agent_sync_file_system(target) == 0 else { throw failure(volume, Errno.current.text) }
    }

    private func failure(_ volume: Volume, _ reason: String) -> AgentFailure {
        AgentFailure(.failed, "copy of the image's `\(volume.mount.destination)` to the volume there: \(reason)")
    }

    /// By two children, of which one reads and one writes; whether both have come to their ends.
    private func copy(_ source: Int32, to target: Int32, _ volume: Volume, _ progress: () -> Void) throws(AgentFailure) -> Bool {
        let data: (read: Int32, write: Int32), life: (read: Int32, write: Int32)
        do throws(Errno) {
            data = try makePipe()
            life = try makePipe()
        } catch {
            throw failure(volume, "pipe: \(error.text)")
        }
        let reader = Self.copier {() throws(AgentFailure) in
            _ = close(data.read)
            var archiver = Archiver(to: data.write)
            try archiver.addRoot(source)
            try archiver.addContents(source)
            try archiver.finish()
        }
        let writer = Self.copier {() throws(AgentFailure) in
            _ = close(data.write)
            var extractor = Extractor(data.read, into: target, changesRoot: true)
            try extractor.run()
        }
        for file in [data.read, data.write, life.write] { _ = close(file) }
        wait(for: life.read, target, progress)
        _ = close(life.read)
        var areWhole = true
        for child in [reader, writer] {
            var status: Int32 = -1
            let ended = retrying { Int(waitpid(child, &status, 0)) }
            if child <= 0 || ended <= 0 || agent_exit_status(status) != 0 { areWhole = false }
        }
        return areWhole
    }

    /// Waits for the end of a pipe that both children hold by no other means than that they live.
    private func wait(for life: Int32, _ target: Int32, _ progress: () -> Void) {
        var free = agent_free_blocks(target)
        var entry = pollfd(fd: life, events: Int16(POLLIN), revents: 0)
        while true {
            let count = poll(&entry, 1, Self.lookInterval)
            // Signals are blocked in the agent; an error would be one of every call.
            if count != 0 { return }
            let now = agent_free_blocks(target)
            if now != free { progress() }
            free = now
        }
    }

    private static func copier(_ work: () throws(AgentFailure) -> Void) -> Int32 {
        let child = agent_clone(0, -1)
        guard child == 0 else { return child }
        do throws(AgentFailure) {
            try work()
        } catch {
            log(error.text)
            _exit(1)
        }
        _exit(0)
    }
}
