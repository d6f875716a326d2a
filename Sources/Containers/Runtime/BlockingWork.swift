import LinuxSystem

/// Runs calls that wait for files, locks and sockets on threads of their own: Swift's own few threads are for what does not wait.
enum BlockingWork {
    /// Runs `body` on a new thread and returns its result. It is not cut short by cancellation: what it waits for ends it.
    static func run<Result: Sendable>(_ body: @escaping @Sendable () throws(ContainerError) -> Result) async throws(ContainerError) -> Result {
        let result: Swift.Result<Result, ContainerError> = await withCheckedContinuation { continuation in
            do throws(Errno) {
                _ = try Thread(name: "container", stack: Thread.largeStack) {
                    do throws(ContainerError) {
                        continuation.resume(returning: .success(try body()))
                    } catch {
                        continuation.resume(returning: .failure(error))
                    }
                }
            } catch {
                continuation.resume(returning: .failure(.failed("no thread can be started: \(error)")))
            }
        }
        return try result.get()
    }
}
