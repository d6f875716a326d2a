import CLinux
import Glibc

/// Runs `body` on a thread of its own in the network namespace that the file is (network_namespaces(7)), and waits for it. Programs that it
/// starts are there, too, and descriptors that it opens stay there. The corresponding C function is `setns` (CLONE_NEWNET).
///
/// Throws `.invalidArgument` where the file is no network namespace.
public func inNetworkNamespace<Value: Sendable>(_ path: String, _ body: @escaping @Sendable () -> Value) throws(Errno) -> Value {
    let file = try FileDescriptor.open(path, .readOnly)
    let raw = file.raw
    let outcome = NamespaceOutcome<Value>()
    let gate = Gate()
    _ = try Thread(name: "network") {
        // The thread ends with what it did, and the namespace is nobody else's.
        if setns(raw, CLONE_NEWNET) == 0 {
            outcome.value = .success(body())
        } else {
            outcome.value = .failure(.current)
        }
        gate.open()
    }
    gate.wait()
    return try withExtendedLifetime(outcome) { () throws(Errno) in try outcome.value.get() }
}

private final class NamespaceOutcome<Value: Sendable>: @unchecked Sendable {
    // Sound: written before the gate opens, read behind it.
    var value: Result<Value, Errno> = .failure(.invalidArgument)
}
