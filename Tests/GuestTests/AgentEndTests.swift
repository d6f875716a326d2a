import AgentProtocol
import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("the agent ends a container", .needsRoot, .needsAgent)
    struct AgentEndTests {
        private func expectPowerOff(_ host: AgentHost, sourceLocation: SourceLocation = #_sourceLocation) throws {
            #expect(try host.process.waitForEnd() == .exited(0), "\(host.process.output.text.suffix(1000))", sourceLocation: sourceLocation)
            #expect(try host.process.errors.wholeText().hasSuffix("svmm: the guest powered off\n"), sourceLocation: sourceLocation)
        }

        @Test("the power button is the stop signal, and then a clean end")
        func powerButton() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            var sandbox = image.sandbox
            sandbox.stopSignal = UInt8(SIGUSR1)
            sandbox.stopGrace = 600_000
            try host.setUp(sandbox)
            let main = try host.start(.shell("trap 'echo kept >/kept; echo bye; exit 4' USR1; echo ready; while true; do sleep 1; done"))
            try host.wait("ready") { main.main.text == "ready\n" }
            host.process.signal(SIGTERM)
            #expect(try host.finish(main) == .init(status: 4, output: "ready\nbye\n"))
            #expect(host.isStopping)
            try host.wait("the end of the connection") { host.hasEnded }
            try expectPowerOff(host)
            try image.expectCleanLayer()
            #expect(try SharedDisk.run("debugfs -R 'cat upper/kept' \(image.layer) 2>/dev/null") == "kept\n")
        }

        @Test("a program that ignores the stop signal is killed after its time")
        func grace() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            var sandbox = image.sandbox
            sandbox.stopGrace = 100
            try host.setUp(sandbox)
            let main = try host.start(.shell("trap '' TERM; echo ready; while true; do sleep 1; done"))
            try host.wait("ready") { main.main.text == "ready\n" }
            // Not even one that is frozen stays.
            #expect(try host.ask(.freeze(true)) == .done)
            host.process.signal(SIGTERM)
            #expect(try host.finish(main) == .init(status: 137, output: "ready\n"))
            try expectPowerOff(host)
            try image.expectCleanLayer()
        }

        @Test("without a process, or without a container, the button is the end at once", arguments: [false, true])
        func idle(isSetUp: Bool) throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            if isSetUp { try host.setUp(image.sandbox) }
            host.process.signal(SIGTERM)
            try host.wait("the end of the connection") { host.hasEnded }
            #expect(host.isStopping)
            try expectPowerOff(host)
        }

        @Test("shut down by the host, what was written is on the disk")
        func shutDown() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            try host.setUp(image.sandbox)
            let main = try host.start(.shell("echo kept >/kept; echo ready; sleep 1000"))
            try host.wait("ready") { main.main.text == "ready\n" }
            #expect(try host.ask(.shutDown(syncs: true)) == .done)
            host.process.signal(SIGKILL)
            _ = try host.process.waitForEnd()
            try image.expectCleanLayer()
            #expect(try SharedDisk.run("debugfs -R 'cat upper/kept' \(image.layer) 2>/dev/null") == "kept\n")
        }

        @Test("a machine whose host has gone syncs and switches itself off")
        func lostHost() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            try host.setUp(image.sandbox)
            let main = try host.start(.shell("trap '' TERM; echo kept >/kept; echo ready; sleep 1000"))
            try host.wait("ready") { main.main.text == "ready\n" }
            host.disconnect()
            try expectPowerOff(host)
            try image.expectCleanLayer()
            #expect(try SharedDisk.run("debugfs -R 'cat upper/kept' \(image.layer) 2>/dev/null") == "kept\n")
        }

        @Test("a host that sends nonsense is no host")
        func nonsense() throws {
            let host = try AgentHost()
            try host.sendNonsense()
            try expectPowerOff(host)
        }

        @Test("disks, networks and shares that are not there are named")
        func missing() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            var sandbox = image.sandbox
            sandbox.root.imageDisk = "other"
            #expect(try host.ask(.setUp(sandbox)) == .failed(AgentFailure(.failed, "there is no disk with the serial number other")))
        }
    }
}
