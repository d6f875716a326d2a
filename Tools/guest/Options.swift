/// The words of the kernel command line that are the test's: `test.run=NAME,NAME` and `test.KEY=VALUE`.
struct Options {
    private let words: [[UInt8]]

    init(commandLine: [UInt8]) {
        words = commandLine.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }.map { Array($0) }
    }

    /// Of a word that may come more than once.
    func values(_ key: String) -> [String] {
        let prefix = Array("test.\(key)=".utf8)
        return words.filter { $0.starts(with: prefix) }.map { text($0[prefix.count...]) }
    }

    func value(_ key: String) -> String? {
        let prefix = Array("test.\(key)=".utf8)
        guard let word = words.last(where: { $0.starts(with: prefix) }) else { return nil }
        return text(word[prefix.count...])
    }

    func number(_ key: String, default other: Int) -> Int {
        value(key).flatMap { Int($0) } ?? other
    }

    var scenarios: [String] {
        (value("run") ?? "facts").utf8.split(separator: UInt8(ascii: ",")).map { text(Array($0)[...]) }
    }
}
