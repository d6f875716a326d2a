/// Ctrl-A and what follows it, on a terminal. For the console's input thread.
final class EscapeKeys: @unchecked Sendable {
    // Sound: used by one thread.
    private static let prefix: UInt8 = 0x01
    private static let help = "\r\nCtrl-A x  quit: end the virtual machine at once\r\nCtrl-A p  press the power button\r\nCtrl-A h  show this help\r\nCtrl-A Ctrl-A  send Ctrl-A to the guest\r\n"

    private let command: @Sendable (ConsoleCommand) -> Void
    private let output: ConsoleBuffer
    private var isAfterPrefix = false

    init(command: @escaping @Sendable (ConsoleCommand) -> Void, output: ConsoleBuffer) {
        self.command = command
        self.output = output
    }

    /// Takes out what is meant for the monitor; returns what is the guest's.
    func filter(_ input: ArraySlice<UInt8>) -> [UInt8] {
        var rest: [UInt8] = []
        for byte in input {
            if isAfterPrefix {
                isAfterPrefix = false
                switch byte {
                case UInt8(ascii: "x"), UInt8(ascii: "X"), 0x18: command(.quit)
                case UInt8(ascii: "p"), UInt8(ascii: "P"), 0x10: command(.pressPowerButton)
                case Self.prefix: rest.append(byte)
                default: for character in Self.help.utf8 { output.append(character) }
                }
            } else if byte == Self.prefix {
                isAfterPrefix = true
            } else {
                rest.append(byte)
            }
        }
        return rest
    }
}
