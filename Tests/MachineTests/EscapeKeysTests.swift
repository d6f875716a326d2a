@testable import Machine
import Synchronization
import Testing

@Suite("Keys after Ctrl-A")
struct EscapeKeysTests {
    private final class Commands: Sendable {
        let all = Mutex<[ConsoleCommand]>([])
    }

    private let commands = Commands()
    private let output = ConsoleBuffer()
    private let keys: EscapeKeys

    init() {
        keys = EscapeKeys(command: { [commands] command in commands.all.withLock { $0.append(command) } },
            output: output)
    }

    private func filter(_ text: String) -> String {
        String(decoding: keys.filter(Array(text.utf8)[...]), as: UTF8.self)
    }
    private var seen: [ConsoleCommand] { commands.all.withLock { $0 } }

    @Test("all other keys are the guest's")
    func plain() {
        #expect(filter("abc\r\u{3}\u{1B}[A") == "abc\r\u{3}\u{1B}[A")
        #expect(seen.isEmpty)
    }

    @Test("x quits, p presses the power button, with or without Ctrl", arguments: [
        ("x", ConsoleCommand.quit), ("X", .quit), ("\u{18}", .quit), ("p", .pressPowerButton), ("P", .pressPowerButton),
        ("\u{10}", .pressPowerButton),
    ])
    func commandKeys(key: String, command: ConsoleCommand) {
        #expect(filter("a\u{1}\(key)b") == "ab")
        #expect(seen == [command])
    }

    @Test("Ctrl-A twice sends one to the guest")
    func doubled() {
        #expect(filter("\u{1}\u{1}x") == "\u{1}x")
        #expect(seen.isEmpty)
    }

    @Test("the prefix and its key may come in different reads")
    func split() {
        #expect(filter("a\u{1}") == "a")
        #expect(filter("xb") == "b")
        #expect(seen == [.quit])
    }

    @Test("any other key shows the help and goes nowhere")
    func help() throws {
        #expect(filter("\u{1}h") == "")
        let text = String(decoding: try #require(output.take(limit: 4096)), as: UTF8.self)
        #expect(text.contains("Ctrl-A x"))
    }
}
