import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension SvmmBoot {
    @Suite("connects the guest's serial port", .needsKVM)
    struct ConsoleTests {
        /// The guest's answer to the bytes, without `q`, and a final `q`.
        static func echo(_ bytes: [UInt8]) -> [UInt8] {
            Array("echo: string\necho: ready\n".utf8) + bytes + Array("q\necho: ok\n".utf8)
        }

        @Test("every byte of standard input reaches the guest, and every byte of the guest's standard output")
        func echo() throws {
            // Twice all bytes but the one that ends the guest: more than the FIFO takes at once.
            let bytes = (0..<512).map { UInt8(truncatingIfNeeded: $0) }.filter { $0 != UInt8(ascii: "q") }
            let process = try Svmm.start("echo", input: .pipe)
            try process.send(bytes + [UInt8(ascii: "q")])
            let finished = try Finished(process)
            expect(finished)
            #expect(finished.output == Self.echo(bytes))
        }

        @Test("beside a virtio console the serial port is heard all the same")
        func besideVirtio() throws {
            let finished = try Svmm.run("smp", "smp.cpus=1", ["--console", "stdio,device=virtio"])
            expect(finished)
            #expect(finished.lines.last == "smp: 1")
        }

        @Test("input may come late, in pieces, and before the guest is there to read it")
        func pieces() throws {
            let process = try Svmm.start("echo", input: .pipe)
            try process.send("early ")
            try process.output.wait(for: "echo: ready\nearly ")
            for word in ["one ", "two "] {
                try process.send(word)
                try process.output.wait(for: word)
            }
            try process.send("q")
            let finished = try Finished(process)
            expect(finished)
            #expect(finished.output == Self.echo(Array("early one two ".utf8)))
        }

        @Test("the end of standard input is not the end of the guest")
        func endOfInput() throws {
            let process = try Svmm.start("echo", "", ["--grace", "0"], input: .pipe)
            try process.send("last words")
            process.closeInput()
            try process.output.wait(for: "last words")
            process.signal(SIGTERM)
            #expect(try process.waitForEnd() == .exited(13))
        }

        @Test("input that the guest does not read is not taken from the pipe for ever more")
        func unreadInput() throws {
            let process = try Svmm.start("power", "power.mode=spin", input: .pipe)
            try process.output.wait(for: "power: spinning")
            // More than the FIFO, the console's buffer and one read of it, less than a pipe.
            try process.send([UInt8](repeating: 0x61, count: 40_000))
            let resident = try #require(process.residentKiB)
            #expect(resident < 64 << 10)
            process.signal(SIGQUIT)
            #expect(try process.waitForEnd() == .exited(131))
        }

        @Test("a reader that stops reading does not hold up the guest; svmm says what was lost", arguments: [0, 1])
        func unreadOutput(pages: Int) throws {
            let process = try Svmm.start("echo", "echo.mode=flood echo.bytes=10K", output: .unread)
            try process.waitForGuest()
            for _ in 0..<pages { #expect(try process.output.readSome(limit: 4096) > 0) }
            #expect(try process.waitForEnd() == .exited(0))
            let lines = Finished.lines(try process.errors.wholeText())
            #expect(matches(lines, [
                "svmm: [1-9]* bytes of console output were lost: they could not be written in time",
                "svmm: the guest powered off",
            ]), "\(lines)")
            try process.output.start()
            let received = try process.output.waitForEnd()
            let text = Self.flood(10 << 10)
            // What the pipe holds is the beginning, complete; of the rest svmm knows the length.
            #expect(received == Array(text.prefix(received.count)))
            let total = 10 << 10 + 1 + "echo: ok flood bytes=10240 cycles=".count
            let lost = try #require(Int(lines.first?.split(separator: " ").dropFirst().first ?? ""))
            #expect((total...(total + 24)).contains(received.count + lost), "\(received.count) received, \(lost) lost")
        }

        @Test("a reader that comes late gets all that has waited for it")
        func lateReader() throws {
            let process = try Svmm.start("echo", "echo.mode=flood echo.bytes=10K", output: .unread)
            try process.waitForGuest()
            try process.output.start()
            let finished = try Finished(process)
            expect(finished)
            #expect(finished.output.prefix(10 << 10) == Self.flood(10 << 10)[...])
            #expect(matches(Array(finished.lines.suffix(1)), ["echo: ok flood bytes=10240 *"]))
        }

        @Test("of more output than can wait for its reader the newest is kept, and svmm says how much is not", .isSlow)
        func newestOutput() throws {
            let size = 1200 << 10
            let process = try Svmm.start("echo", "echo.mode=flood echo.bytes=\(size)", output: .unread)
            try process.waitForGuest(patiences: 10)
            try process.output.start()
            let finished = try Finished(process)
            #expect(finished.end == .exited(0))
            #expect(matches(finished.errorLines, [
                "svmm: [1-9]* bytes of console output were lost*", "svmm: the guest powered off",
            ]))
            let lost = try #require(Int(finished.errorLines.first?.split(separator: " ").dropFirst().first ?? ""))
            let tail = Array(finished.output.drop { $0 == 0 }.suffix(1 << 20))
            let end = try #require(finished.lines.last)
            #expect(matches([end], ["echo: ok flood bytes=\(size) *"]))
            let flood = Self.flood(size) + [UInt8(ascii: "\n")] + Array("\(end)\n".utf8)
            #expect(tail == Array(flood.suffix(1 << 20)))
            #expect(finished.output.count + lost == flood.count)
        }

        /// As `flood` of Tools/payloads/echo.swift.
        static func flood(_ count: Int) -> [UInt8] {
            (0..<count).map { position in
                let (number, column) = (position / 64, position % 64)
                switch column {
                case 63: return UInt8(ascii: "\n")
                case 0..<8: return Array("0123456789abcdef".utf8)[number >> ((7 - column) * 4) & 15]
                default: return UInt8(ascii: "!") + UInt8((number + column) % 94)
                }
            }
        }

        @Test("output goes to a file that is standard output")
        func redirected() throws {
            let directory = TemporaryDirectory()
            let process = try Svmm.start("echo", "echo.mode=flood echo.bytes=4K", output: .file(directory.path("out")))
            expect(try Finished(process))
            let content = try #require(directory.contents("out"))
            #expect(content.prefix(4 << 10) == Self.flood(4 << 10)[...])
            #expect(String(decoding: content.dropFirst(4 << 10), as: UTF8.self).contains("echo: ok flood"))
        }

        @Test("output that cannot be written is no reason to stop the guest", arguments: ["/dev/full", "a closed pipe"])
        func unwritable(target: String) throws {
            let output: ChildProcess.Output = target == "/dev/full" ? .file(target) : .closedPipe
            let finished = try Finished(try Svmm.start("echo", "echo.mode=flood echo.bytes=4K", output: output))
            #expect(finished.end == .exited(0))
            let lines = ["svmm: 41[0-9]* bytes of console output were lost: they could not be written in time",
                         "svmm: the guest powered off"]
            #expect(matches(finished.errorLines, lines), "\(finished.errors)")
        }

        @Test("--console file= empties the file, or makes it, and leaves standard output alone")
        func file() throws {
            let directory = TemporaryDirectory()
            for name in ["new", "old"] {
                if name == "old" { _ = try directory.file(name, [UInt8](repeating: 0x78, count: 100_000)) }
                let finished = try Svmm.run("power", "", ["--console", "file=\(directory.path(name))"])
                expect(finished)
                #expect(finished.output.isEmpty)
                #expect(directory.contents(name) == Array("power: off\n".utf8))
            }
        }

        @Test("--console none prints nothing, reads nothing, and does not tell the guest of a console")
        func none() throws {
            let finished = try Svmm.run("power", "", ["--console", "none"])
            expect(finished)
            #expect(finished.output.isEmpty)
            let plan = try Svmm.run("power", "", ["--console", "none", "--dry-run"])
            #expect(!plan.lines.joined().contains("console=ttyS0"))
        }

        // MARK: Unix sockets

        @Test("a client of --console unix= that comes late sees the output from its beginning, and can type")
        func lateClient() throws {
            let directory = TemporaryDirectory()
            let path = directory.path("console")
            let process = try Svmm.start("echo", "", ["--console", "unix=\(path)"])
            try waitUntil("the socket is there") { access(path, F_OK) == 0 }
            var status = stat()
            #expect(lstat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
            let client = try UnixClient(path: path)
            #expect(try client.receive(until: "ready\n") == "echo: string\necho: ready\n")
            try client.send("typedq")
            #expect(try client.receive(until: "ok\n") == "typedq\necho: ok\n")
            let finished = try Finished(process)
            expect(finished)
            #expect(finished.output.isEmpty)
            #expect(directoryEntries(directory.path).isEmpty)
        }

        @Test("a client that goes away makes room for the next, and the guest does not notice")
        func clients() throws {
            let directory = TemporaryDirectory()
            let path = directory.path("console")
            let process = try Svmm.start("echo", "", ["--console", "unix=\(path)"])
            try waitUntil("the socket is there") { access(path, F_OK) == 0 }
            for word in ["first", "second", "third"] {
                let client = try UnixClient(path: path)
                try client.send(word)
                #expect(try client.receive(until: word).hasSuffix(word))
            }
            // One that leaves without a word, and one that leaves with an answer under way.
            _ = try UnixClient(path: path)
            try UnixClient(path: path).send("unheard")
            let last = try UnixClient(path: path)
            try last.send("q")
            #expect(try last.receive(until: "ok\n").hasSuffix("echo: ok\n"))
            expect(try Finished(process))
        }

        @Test("a machine whose console nobody has looked at ends without delay")
        func noClient() throws {
            let directory = TemporaryDirectory()
            let start = Clock.monotonicNanoseconds()
            expect(try Svmm.run("power", "", ["--console", "unix=\(directory.path("console"))"]))
            #expect(Clock.monotonicNanoseconds() - start < 1_500_000_000)
            #expect(directoryEntries(directory.path).isEmpty)
        }

        @Test("a socket that a dead process left is replaced, also one of svmm's own")
        func staleSocket() throws {
            let directory = TemporaryDirectory()
            let path = directory.path("console")
            try UnixClient.abandonSocket(at: path)
            let first = try Svmm.start("power", "power.mode=spin", ["--console", "unix=\(path)"])
            try waitUntil("svmm listens") { (try? UnixClient(path: path)) != nil }
            first.signal(SIGKILL)
            try first.waitForEnd()
            #expect(directoryEntries(directory.path) == ["console"])
            let second = try Svmm.start("echo", "", ["--console", "unix=\(path)"])
            try waitUntil("svmm listens") { (try? UnixClient(path: path)) != nil }
            try UnixClient(path: path).send("q")
            expect(try Finished(second))
            #expect(directoryEntries(directory.path).isEmpty)
        }

        @Test("a socket that somebody listens to is refused and stays")
        func socketInUse() throws {
            let directory = TemporaryDirectory()
            let path = directory.path("console")
            let first = try Svmm.start("echo", "", ["--console", "unix=\(path)"])
            try waitUntil("svmm listens") { access(path, F_OK) == 0 }
            let second = try Svmm.run("power", "", ["--console", "unix=\(path)"])
            #expect(second.end == .exited(1))
            #expect(second.errorLines == [
                "svmm: --console unix=\(path): the path exists and is in use; remove it or choose another",
            ])
            let client = try UnixClient(path: path)
            try client.send("q")
            #expect(try client.receive(until: "ok\n").hasSuffix("q\necho: ok\n"))
            expect(try Finished(first))
        }
    }
}

extension ChildProcess {
    /// Waits for the end of the guest's only processor, while svmm itself may still be there: for as long as all else may
    /// take, or so many times.
    fileprivate func waitForGuest(patiences: Int = 1) throws {
        let isRunning = { self.threadNames.contains("vcpu-0") }
        try waitUntil("the guest has begun") { isRunning() || hasEnded }
        for _ in 1..<patiences where (try? waitUntil("the guest has ended") { !isRunning() }) != nil { return }
        try waitUntil("the guest has ended") { !isRunning() }
    }
}
