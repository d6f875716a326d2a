import ArgumentParser
import Containers
import Registry
@testable import svmm_engine
import Testing

@Suite("Words of commands")
struct CommandWordTests {
    @Test("words become those of the parser", arguments: [
        (["create", "--entrypoint=", "busybox", "echo", "hi"], ["create", "--entrypoint", "", "busybox", "echo", "hi"]),
        (["run", "-eC=3", "-la=b", "i"], ["run", "-e", "C=3", "-l", "a=b", "i"]), (["run", "-iteA=b", "i"], ["run", "-it", "-e", "A=b", "i"]),
        (["run", "-e=A=b", "-e=", "i"], ["run", "-e", "A=b", "-e", "", "i"]), (["exec", "-uA=1", "c", "p"], ["exec", "-u", "A=1", "c", "p"]),
        // What stands behind the image, or is a value, is as it was.
        (["run", "i", "ls", "-eA=b", "--x="], ["run", "i", "ls", "-eA=b", "--x="]), (["run", "--name", "--x=", "i"], ["run", "--name", "--x=", "i"]),
        (["run", "-e", "-eA=b", "i", "-eA=b"], ["run", "-e", "-eA=b", "i", "-eA=b"]), (["run", "--", "-eA=b"], ["run", "--", "-eA=b"]),
        (["run", "-ie", "A", "i", "--x="], ["run", "-ie", "A", "i", "--x="]), (["run", "-eA", "i", "-eA=b"], ["run", "-eA", "i", "-eA=b"]),
        (["run", "--rm", "i", "--x="], ["run", "--rm", "i", "--x="]), (["run", "--name=n", "i", "--x="], ["run", "--name=n", "i", "--x="]),
        (["run", "--rm=", "i"], ["run", "--rm=", "i"]),
        (["container", "run", "--user=", "i"], ["container", "run", "--user", "", "i"]), (["container"], ["container"]), ([], []),
        // Options may stand behind words elsewhere.
        (["logs", "c", "--since="], ["logs", "c", "--since", ""]), (["ps", "-fname=x"], ["ps", "-f", "name=x"]),
        (["image", "ls", "-n", "x"], ["image", "ls", "-n", "x"]), (["image", "save", "-o=f", "x"], ["image", "save", "-o", "f", "x"]),
        (["pull", "x"], ["image", "pull", "x"]), (["rmi", "-f", "x"], ["image", "rm", "-f", "x"]), (["login", "-u=a", "r"], ["registry", "login", "-u", "a", "r"]),
        (["info"], ["system", "info"]), (["images"], ["images", "ls"]), (["images", "-q"], ["images", "ls", "-q"]), (["images", "--help"], ["images", "--help"]),
        (["image"], ["image"]), (["images", "rm", "x"], ["images", "rm", "x"]),
    ] as [([String], [String])])
    func words(typed: [String], meant: [String]) {
        #expect(CommandWords.spelledOut(typed) == meant)
    }

    private func create(_ words: String...) throws -> ContainerRequest {
        let command = try EngineProgram.parseAsRoot(CommandWords.spelledOut(["create"] + words))
        return try #require(command as? ContainerCreate).options.request
    }

    @Test("an empty value is one, and takes no other word with it")
    func emptyValue() throws {
        let request = try create("--entrypoint=", "busybox", "echo", "hi")
        #expect((request.image, request.entrypoint, request.command) == ("busybox", [], ["echo", "hi"]))
    }

    @Test("a value may follow a short option at once, whatever is in it")
    func joined() throws {
        let request = try create("-eA=b", "-itla=b", "-v/a:/b", "-eC=--d", "busybox", "-eX=y")
        #expect((request.environment, request.labels, request.command) == (["A=b", "C=--d"], ["a": "b"], ["-eX=y"]))
        #expect(request.hasInput && request.hasTerminal)
        #expect(request.mounts == [.bind(source: "/a", destination: "/b", options: [])])
    }

    @Test("podman's words are commands", arguments: [
        (["pull", "x"], ImagePull.self), (["push", "x"], ImagePush.self), (["rmi", "x"], ImageRemove.self), (["tag", "x", "y"], ImageTag.self), (["save", "x"], ImageSave.self),
        (["load"], ImageLoad.self), (["login"], RegistryLogin.self), (["logout", "x"], RegistryLogout.self), (["info"], SystemInfo.self),
    ] as [([String], any ParsableCommand.Type)])
    func elsewhere(words: [String], type: any ParsableCommand.Type) throws {
        let command = try EngineProgram.parseAsRoot(CommandWords.spelledOut(words))
        #expect(ObjectIdentifier(Swift.type(of: command)) == ObjectIdentifier(type))
    }

    @Test("the tables of options are the commands' own")
    func tables() throws {
        let tables = try CommandTables(EngineProgram.self)
        let (flags, valued) = (tables.flags, tables.valued)
        #expect(!valued.isEmpty && valued.isDisjoint(with: CommandWords.flags))
        #expect(flags.subtracting(CommandWords.flags) == [])
        // Of containers' commands without their group, as they are typed.
        let short = tables.short
        var found = short.filter { !$0.key.hasPrefix("container ") }
        for (path, letters) in short where path.hasPrefix("container ") { found[String(path.dropFirst("container ".count))] = letters }
        let aliases = ["list": "ls", "ps": "ls", "network list": "network ls", "volume list": "volume ls"]
        #expect(CommandWords.shortValues.filter { aliases[$0.key] == nil }.mapValues(Set.init) == found)
        for (alias, name) in aliases { #expect(CommandWords.shortValues[alias] == CommandWords.shortValues[name], "\(alias)") }
    }
}
