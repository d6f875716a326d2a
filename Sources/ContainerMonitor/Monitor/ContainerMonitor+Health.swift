import AgentProtocol
import ContainerProtocol

/// The probe that runs, and the time of the next.
struct HealthTimers {
    fileprivate var next: Timers.Token?
    fileprivate var timeout: Timers.Token?
    /// Of the last probe, until the guest has said that it is gone.
    fileprivate weak var process: GuestProcess?
}

extension ContainerMonitor {
    private static let killSignal: UInt8 = 9
    /// Probes follow one another no faster: ten milliseconds.
    private static let shortestInterval: UInt64 = 10_000_000

    /// The main process runs: the first probe comes after an interval.
    func beginHealthChecks() {
        guard let check = container.health else { return }
        health = HealthState(check, startTime: timers.now)
        noteHealth()
        planProbe()
    }

    func endHealthChecks() {
        timers.cancel(&healthTimers.next)
        timers.cancel(&healthTimers.timeout)
        healthTimers.process = nil
    }

    private func planProbe() {
        guard let health else { return }
        timers.cancel(&healthTimers.next)
        healthTimers.next = timers.after(max(.milliseconds(health.check.interval), Self.shortestInterval)) { [unowned self] in probe() }
    }

    private func probe() {
        guard case .running = phase, let health else { return }
        guard !isPaused else { return planProbe() }
        let start = timers.realTime
        guard healthTimers.process == nil else {
            return take(start, 137, "the last probe has been killed, but has not ended")
        }
        var configuration = container.process
        configuration.arguments = health.check.command
        configuration.terminal = nil
        configuration.hasInit = false
        let process: GuestProcess
        do throws(ContainerError) {
            process = try makeProcess(configuration, [.output, .errors])
        } catch {
            return take(start, 125, "\(error)")
        }
        healthTimers.process = process
        let output = ProbeOutput()
        process.add(output)
        process.isDone = { [unowned self, unowned process] in
            processes[process.number] = nil
            guard healthTimers.process === process else { return }
            healthTimers.process = nil
            // One that took too long has been counted by then.
            if healthTimers.timeout != nil { take(start, process.end?.status ?? 137, output.text) }
        }
        healthTimers.timeout = timers.after(.milliseconds(health.check.timeout)) { [unowned self] in
            healthTimers.timeout = nil
            ask(.signal(process: process.number, signal: Self.killSignal)) { _ in }
            take(start, 137, "the probe took longer than \(health.check.timeout) ms\n" + output.text)
        }
        begin(process, configuration, [.output, .errors]) { [unowned self] failure in
            guard let failure else { return process.start() }
            guard healthTimers.process === process else { return }
            healthTimers.process = nil
            if healthTimers.timeout != nil { take(start, failure.status, failure.text) }
        }
    }

    /// Takes a probe's result, and plans the next.
    private func take(_ start: UInt64, _ status: UInt8, _ output: String) {
        timers.cancel(&healthTimers.timeout)
        let text = String(output.unicodeScalars.prefix(ProbeOutput.limit))
        let probe = ContainerStatus.Probe(start: start, end: timers.realTime, status: status, output: text)
        guard let hasChanged = health?.take(probe, now: timers.now) else { return }
        noteHealth()
        writeStatus()
        if hasChanged { events.add("health_status", ["health": status == 0 ? "healthy" : "unhealthy"]) }
        planProbe()
    }

    private func noteHealth() {
        guard let health else { return }
        status.health = health.health
        status.failingStreak = health.failingStreak
        status.probes = health.probes
    }
}
