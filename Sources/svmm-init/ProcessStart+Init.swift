import AgentProtocol

extension ProcessStart {
    /// Leaves this process behind as the first of the PID namespace, which does what init programs do, and returns in a child.
    func standAside() throws(AgentFailure) {
        // Before the fork, so that no signal comes too early.
        agent_prepare_signals()
        let child = agent_clone(0, -1)
        guard child >= 0 else { throw AgentFailure(.failed, "init process: \(Errno.current.text)") }
        if child == 0 {
            if configuration.terminal != nil {
                // Of its own group, so that what is typed signals the program and not its init as well. SIGTTOU is blocked.
                setpgid(0, 0)
                tcsetpgrp(0, getpid())
            }
            agent_restore_signals()
            return
        }
        // The report, and the streams, whose ends are the program's.
        _ = agent_close_range(0, UInt32.max)
        attend(child)
    }

    /// Reaps whoever is left to this process, passes signals on, and ends with the child.
    private func attend(_ child: Int32) -> Never {
        while true {
            let signal = agent_wait_signal()
            guard signal == SIGCHLD else {
                if signal > 0 { _ = kill(child, signal) }
                continue
            }
            var status: Int32 = 0
            while true {
                let ended = waitpid(-1, &status, WNOHANG)
                if ended <= 0 { break }
                if ended == child { _exit(agent_exit_status(status)) }
            }
        }
    }
}
