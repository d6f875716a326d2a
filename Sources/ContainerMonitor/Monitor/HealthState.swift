import ContainerProtocol

struct HealthState {
}

extension ContainerMonitor {
    func beginHealthChecks() {}
    func endHealthChecks() {}
}
