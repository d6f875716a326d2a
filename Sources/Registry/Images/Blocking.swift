import LinuxSystem

/// Runs calls that block, for as long as disks and other processes' locks take, on a thread of their own: the threads of Swift's
/// tasks are few, and each of them has to go on.
func blocking<Result: Sendable, Failure: Error>(
    _ body: @escaping @Sendable () throws(Failure) -> Result
) async throws(Failure) -> Result {
    let result: Swift.Result<Result, Failure> = await withCheckedContinuation { continuation in
        @Sendable func run() {
            do throws(Failure) {
                continuation.resume(returning: .success(try body()))
            } catch {
                continuation.resume(returning: .failure(error))
            }
        }
        do throws(Errno) {
            _ = try Thread(name: "blocking", stack: Thread.largeStack, run)
        } catch {
            // No thread to be had: then here.
            run()
        }
    }
    return try result.get()
}
