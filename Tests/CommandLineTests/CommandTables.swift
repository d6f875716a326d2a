import ArgumentParser
import Registry
import Testing

/// The options of a program's commands, as they say them themselves.
struct CommandTables {
    /// Long options without a value, and with one.
    private(set) var flags: Set<String> = []
    private(set) var valued: Set<String> = []
    /// Short options with a value, by the command's words.
    private(set) var short: [String: Set<Character>] = [:]

    init(_ root: any ParsableCommand.Type) throws {
        let dump = try #require(JSONValue(json: Array(root._dumpHelp().utf8))?["command"])
        visit(dump, [])
    }

    private mutating func visit(_ command: JSONValue, _ path: [String]) {
        for argument in Self.items(command["arguments"]) {
            let isFlag = argument["kind"] == .string("flag")
            for name in Self.items(argument["names"]) {
                guard let text = name["name"]?.text else { continue }
                if name["kind"] == .string("long") {
                    if isFlag { flags.insert(text) } else { valued.insert(text) }
                } else if name["kind"] == .string("short"), !isFlag, let letter = text.first {
                    short[path.joined(separator: " "), default: []].insert(letter)
                }
            }
        }
        for next in Self.items(command["subcommands"]) { visit(next, path + [next["commandName"]?.text ?? ""]) }
    }

    private static func items(_ value: JSONValue?) -> [JSONValue] {
        if case .array(let items)? = value { items } else { [] }
    }
}
