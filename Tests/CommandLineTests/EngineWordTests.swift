import ArgumentParser
import CommandSupport
import Testing

@testable import svmm
@testable import svmm_engine

@Test("svmm hands every word of the engine's commands to the engine, and none of its own")
func engineWords() {
    let configuration = EngineProgram.configuration
    let commands = configuration.subcommands + configuration.groupedSubcommands.flatMap { $0.subcommands }
    let words = commands.flatMap { [$0._commandName] + $0.configuration.aliases }
    #expect(Set(words) == svmm.Engine.words)
    let own = SVMM.configuration.groupedSubcommands.first.map(\.subcommands) ?? []
    #expect(!own.isEmpty)
    #expect(own.allSatisfy { command in !svmm.Engine.words.contains { command.isCalled($0) } })
}
