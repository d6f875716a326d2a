import ArgumentParser
import LinuxSystem

/// The Linux guest that works and measures: the project's kernel, and the test guest (Tools/guest) as its first process.
struct LinuxGuest: ParsableArguments {
    /// MiB.
    static let memory = 256

    @Option(help: ArgumentHelp("The guest's kernel (Kernel/build).", valueName: "path"))
    var kernel: String

    @Option(help: ArgumentHelp("The guest's initramfs (Tools/guest/build).", valueName: "path"))
    var initramfs: String

    @Option(help: ArgumentHelp("Rounds in each guest; a run's sample is the median of its guest's.", valueName: "n"))
    var rounds = 3

    func validate() throws {
        guard (1...1000).contains(rounds) else { throw ValidationError("--rounds \(rounds): expected 1 to 1000") }
    }

    /// What the guest is to do, as words of its command line. It ends with a reboot, which no monitor takes for anything else.
    func words(_ scenario: String, _ options: [String]) -> String {
        (["quiet", "test.run=\(scenario),reboot", "test.rounds=\(rounds)"] + options).joined(separator: " ")
    }

    func svmm(_ path: String, _ words: String, _ arguments: [String]) -> Command {
        Command(
            path: path,
            arguments: ["boot", "--kernel", kernel, "--initrd", initramfs, "--memory", "\(Self.memory)M", "--cpus", "1",
                        "--console", "stdio", "--cmdline", words] + arguments,
            expectedStatus: 10)
    }

    /// Boots the guest, and returns what it has measured.
    func figures(_ command: Command, _ scenario: String, _ runner: Runner) throws -> GuestFigures {
        let output = try runner.run(command, timeout: 900).output
        return try GuestFigures(output, of: command, scenario)
    }
}

/// What a guest has measured in its rounds: lines `guest: figure NAME count=N ns=N`.
struct GuestFigures {
    /// Of each figure, how many of a thing there were in a second, for each round.
    private var rates: [String: [Double]] = [:]
    /// What the guest says of its mount.
    let mount: String
    private let command: Command

    init(_ output: String, of command: Command, _ scenario: String) throws {
        let lines = output.split { $0.isNewline }.map { $0.split(separator: " ") }
        guard lines.contains(where: { $0.elementsEqual(["guest:", "ok", scenario[...]]) }) else {
            throw BenchmarkError("\(command.line): the guest did not succeed:\n\(output)")
        }
        for words in lines where words.count == 5 && words[0] == "guest:" && words[1] == "figure" {
            guard let count = Double(words[3].dropFirst("count=".count)),
                  let time = Double(words[4].dropFirst("ns=".count)), time > 0 else { continue }
            rates[String(words[2]), default: []].append(count / time * 1e9)
        }
        mount = lines.first { $0.starts(with: ["guest:", "mount"]) }.map { $0.dropFirst(2).joined(separator: " ") } ?? ""
        self.command = command
    }

    /// In a second: the median of the rounds.
    func rate(_ figure: String) throws -> Double {
        guard let rates = rates[figure] else { throw BenchmarkError("\(command.line): no figure \(figure)") }
        return Samples(values: rates).median
    }

    /// Of phases with the same count each: how many of all their operations there were in a second.
    func rate(ofPhases figures: [String]) throws -> Double {
        Double(figures.count) / (try figures.map { 1 / (try rate($0)) }.reduce(0, +))
    }
}
