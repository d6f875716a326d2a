/// The names in a machine's state directory.
public enum StateFiles {
    /// Takes `ControlRequest`s.
    public static let control = "control.sock"
    /// Takes `CONNECT <port>` for sockets of the guest; with `_PORT` behind it, the guest's connections to the host arrive there.
    public static let vsock = "vsock.sock"

    /// A port of the guest, for those who know nothing of `CONNECT` (LinuxKit's convention).
    public static func forwardedPort(_ port: UInt32) -> String {
        let digits = String(port, radix: 16)
        return "guest." + String(repeating: "0", count: 8 - digits.count) + digits
    }
}
