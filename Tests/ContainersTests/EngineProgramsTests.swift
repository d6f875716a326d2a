@testable import Containers
import LinuxSystem
import Testing
import TestSupport

@Suite("What a container is run with")
struct EngineProgramsTests {
    @Test("of several kernels in the cache the one that was built last is taken, and of unfinished builds none")
    func builtKernels() throws {
        let directory = TemporaryDirectory()
        for (index, name) in ["b", "c", "a"].enumerated() {
            _ = directory.makeDirectory(name)
            let path = try directory.file("\(name)/vmlinux", [])
            let time = FileTime(seconds: 1_700_000_000 + Int64(index), nanoseconds: 0)
            try FileDescriptor.open(path, [.writeOnly]).setTimes(accessed: .keep, modified: .set(time))
        }
        _ = directory.makeDirectory("unfinished")
        #expect(EnginePrograms.builtKernels(in: directory.path) == ["a", "c", "b"].map { "\(directory.path)/\($0)/vmlinux" })
        #expect(EnginePrograms.builtKernels(in: directory.path + "/nowhere") == [])
    }
}
