import ContainerProtocol

extension MonitorConnection {
    /// As `send`, to a monitor that has just been started. Where it has ended already, it may have said why before: that is
    /// thrown then, and not that it is gone.
    func tell(_ message: ClientMessage) throws(ContainerError) {
        do throws(ContainerError) {
            try send(message)
        } catch {
            while let said = try receive() {
                if case .failed(let status, let text) = said { throw ContainerError(status: status, text) }
            }
            // Read again: only now has its log all that it will have.
            throw gone
        }
    }
}
