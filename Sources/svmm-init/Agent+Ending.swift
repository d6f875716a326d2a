import AgentCore
import AgentProtocol

/// Why the container is being stopped, and how far that is.
enum Ending {
    case no
    /// The power button: the main process has some time to end by itself, then the machine is switched off.
    case button
    /// The host asks, and then ends the machine itself.
    case request(UInt32, syncs: Bool)
    /// There is no host any more.
    case lost
    /// All is killed; this is only about when.
    case killing(Next)
    /// Nothing is left to be done but what the host does.
    case ended
    /// The machine is to be switched off.
    case off

    enum Next {
        case reply(UInt32)
        case powerOff
    }
}

extension Agent {
    /// How long what was killed may take to go, in milliseconds: the disks are not worth waiting for ever.
    private static let patience: UInt64 = 10_000

    var isAtEnd: Bool {
        if case .off = ending { true } else { false }
    }

    func end(_ reason: Ending) {
        switch (ending, reason) {
        case (.no, .button):
            control.send(.stopping)
            ending = .button
            if let main = processes[0], main.isAlive, let sandbox {
                try? sandbox.cgroup.freeze(false)
                try? main.signal(sandbox.configuration.stopSignal)
                _ = agent_set_timer(timer.file, max(1, UInt64(sandbox.configuration.stopGrace)))
            }
            proceed()
        case (.no, .request(let number, let syncs)), (.button, .request(let number, let syncs)):
            if syncs {
                kill(then: .reply(number))
            } else {
                sandbox?.cgroup.kill()
                ending = .ended
                answer(number, .done)
            }
        case (.no, .lost), (.button, .lost), (.ended, .lost): kill(then: .powerOff)
        case (.killing(.reply), .lost): ending = .killing(.powerOff)
        case (_, .request(let number, _)): answer(number, .failed(AgentFailure(.failed, "the container is being stopped")))
        default: break
        }
    }

    private func kill(then next: Ending.Next) {
        ending = .killing(next)
        sandbox?.cgroup.kill()
        _ = agent_set_timer(timer.file, Self.patience)
        proceed()
    }

    func timeHasCome() {
        var count: UInt64 = 0
        guard read(timer.file, &count, 8) == 8 else { return }
        switch ending {
        case .button: kill(then: .powerOff)
        case .killing(let next): finish(next)
        default: break
        }
    }

    /// Goes on when nothing runs any more. What was written last reaches the host first, unless the host does not want it.
    func proceed() {
        switch ending {
        case .button:
            if processes[0] == nil { kill(then: .powerOff) }
        case .killing(.powerOff):
            if control.isLost ? !processes.values.contains(where: { $0.isAlive }) : processes.isEmpty { finish(.powerOff) }
        case .killing(.reply(let number)):
            if !processes.values.contains(where: { $0.isAlive }) { finish(.reply(number)) }
        default: break
        }
    }

    private func finish(_ next: Ending.Next) {
        sandbox?.unmount()
        switch next {
        case .reply(let number):
            ending = .ended
            answer(number, .done)
        case .powerOff:
            ending = .off
            control.finish()
        }
    }
}

extension Sandbox {
    /// Everything written reaches the disks, and their file systems are left clean.
    func unmount() {
        sync()
        letGo()
        let places = [Self.container, Self.overlay, Self.volumes, Self.deviceShares, Self.writable, Self.image].map { Array($0.utf8) }
        // The fifth word of each line; the last mounts are the first to go.
        let mounts = (contents("/proc/self/mountinfo", limit: 16 << 20) ?? []).split(separator: UInt8(ascii: "\n")).compactMap { line in
            line.split(separator: UInt8(ascii: " ")).dropFirst(4).first.map { PathName.unescaped(Array($0)) }
        }
        for mount in mounts.reversed() where places.contains(where: { PathName.path(mount, isAtOrBelow: $0) }) {
            if CPath(mount)({ umount2($0, Int32(UMOUNT_NOFOLLOW)) }) != 0 { _ = CPath(mount) { umount2($0, Int32(MNT_DETACH)) } }
        }
        sync()
    }
}
