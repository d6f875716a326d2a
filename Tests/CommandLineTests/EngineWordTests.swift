import ArgumentParser
import CommandSupport
import Testing
import TestSupport

@testable import svmm
@testable import svmm_engine

@Test("svmm hands every word of the engine's commands to the engine, and none of its own")
func engineWords() {
    let configuration = EngineProgram.configuration
    // Those that svmm itself calls are nobody's words.
    let commands = configuration.subcommands.filter { $0.configuration.shouldDisplay } + configuration.groupedSubcommands.flatMap { $0.subcommands }
    let words = commands.flatMap { [$0._commandName] + $0.configuration.aliases }
    // The list of containers has that name below its group only: before it, it is the machines'.
    #expect(Set(words + CommandWords.elsewhere.keys).subtracting(["ps"]) == svmm.Engine.words)
    #expect(words.contains("ps"))
    #expect(words.allSatisfy { CommandWords.elsewhere[$0] == nil })
    let own = SVMM.configuration.groupedSubcommands.first.map(\.subcommands) ?? []
    #expect(!own.isEmpty)
    // One word is both's: who has what is named decides.
    #expect(own.filter { command in svmm.Engine.words.contains { command.isCalled($0) } }.map { $0._commandName } == ["pause"])
}

@Test("to pause is the machine's word where a machine has the name, and else the container's")
func pauseWord() throws {
    let directory = TemporaryDirectory()
    #expect(svmm.Engine.arguments(for: ["pause", directory.path]) == ["pause", directory.path])
    _ = try directory.file("control.sock", [])
    #expect(svmm.Engine.arguments(for: ["pause", directory.path]) == nil)
    for words in [["pause"], ["pause", directory.path, "other"], ["unpause", directory.path], ["pause", "--help"]] {
        #expect(svmm.Engine.arguments(for: words) == words)
    }
}

@Test("version is a word, as it is an option")
func versionWord() throws {
    #expect(try SVMM.parseAsRoot(["version"]) is VersionWord)
}

@Test("the engine is called with its own words, and with what help is asked for", arguments: [
    (["run", "--rm", "img"], ["run", "--rm", "img"]), (["help", "run"], ["run", "--help"]), (["help", "image", "pull"], ["image", "pull", "--help"]),
    (["help", "rmi"], ["rmi", "--help"]), (["help"], nil), (["help", "boot"], nil), (["boot"], nil), ([], nil),
] as [([String], [String]?)])
func engineArguments(typed: [String], passed: [String]?) {
    #expect(svmm.Engine.arguments(for: typed) == passed)
}
