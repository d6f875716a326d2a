import LinuxSystem
import ProcessSupport
import Testing

extension LinuxGuests {
    @Suite("have templates", .needsImages)
    struct TemplateTests {
        /// Of one kind that no other test has: what it has made, it finds.
        private static let kind = ["--memory", "192m", "--cpus", "1"]

        /// How many containers have come from a template, by the word of the guest's kernel (drivers/char/random.c).
        private func run(_ options: [String] = []) throws -> (isFromTemplate: Bool, outcome: Container.Outcome) {
            let outcome = try Container.run(Self.kind + ["--cap-add", "SYSLOG"] + options, ["sh", "-c", "dmesg | grep -c 'virtual machine fork'; true"])
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(["0\n", "1\n"].contains(outcome.text), "\(outcome.text)")
            return (outcome.text == "1\n", outcome)
        }

        private func system(_ arguments: [String]) throws -> Container.Outcome {
            _ = Container.root
            let outcome = try Container.Outcome(try ChildProcess([Guest.svmm, "system"] + arguments))
            #expect(outcome.status == 0, "\(outcome.errors)")
            return outcome
        }

        private func warm(_ options: [String] = []) throws -> Container.Outcome { try system(["warm", "--network", "none"] + Self.kind + options) }

        private var templates: String { Container.root + "/store/templates" }

        @Test("made before the first container, or by it; used by the next; not with --cold; removed by prune")
        func life() throws {
            let name = try warm().line
            #expect(name.hasPrefix("1-192M-"))
            #expect(directoryEntries(templates).contains(name))
            #expect(try warm().line == name)
            #expect(try run().isFromTemplate)
            #expect(try !run(["--cold"]).isFromTemplate)
            // A machine with a share is of another kind.
            let shared = try warm(["--volumes"]).line
            #expect(shared != name)
            #expect(try run(["-v", "/usr:/host:ro"]).isFromTemplate)
            _ = try system(["prune", "--force"])
            #expect(directoryEntries(templates) == [])
            #expect(try !run().isFromTemplate)
            #expect(directoryEntries(templates) == [name])
            #expect(try run().isFromTemplate)
            #expect(try Container.leftovers().joined(separator: ", ") == "")
        }

        @Test("one that is damaged is removed with a word, the container runs, and the next template is whole", arguments: ["state", "memory"])
        func damaged(_ file: String) throws {
            let name = try warm().line
            let path = "\(templates)/\(name)/\(file)"
            try FileDescriptor.open(path, .readWrite).truncate(to: 1000)
            try Container.background(Self.kind, running: ["sleep", "1000"]) { container throws in
                let log = String(decoding: contents(ofSmallFile: "\(Container.root)/store/containers/\(try Container.command("inspect", "--format", "{{.Id}}", container).dropLast())/monitor.log") ?? [], as: UTF8.self)
                #expect(log.contains("it is removed, and the machine boots"), "\(log)")
            }
            // Made by that one? Only a machine that was to boot from the begin makes one.
            _ = try warm()
            #expect(try run().isFromTemplate)
        }

        @Test("none is made of a machine whose kernel is none, and that is said in a line")
        func noKernel() throws {
            _ = Container.root
            let outcome = try Container.Outcome(try ChildProcess([Guest.svmm, "system", "warm", "--kernel", "/etc/hostname"]))
            #expect(outcome.status == 125)
            #expect(outcome.errors.hasPrefix("svmm: no template is made: "), "\(outcome.errors)")
            #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
            #expect(try Container.leftovers().joined(separator: ", ") == "")
        }
    }
}
