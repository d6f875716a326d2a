import Devices
import Glibc
import LinuxSystem
import TestSupport
import Testing

@Suite("Disk files")
struct DiskFileTests {
    private let directory = TemporaryDirectory()

    @Test("a file of whole sectors is a disk", arguments: [512, 1024, 1 << 20, 1 << 40])
    func size(bytes: Int) throws {
        let disk = try DiskFile(path: directory.sparseFile("disk", size: bytes), readOnly: false)
        #expect(disk.size == UInt64(bytes))
        #expect(!disk.isReadOnly)
    }

    @Test("a file of another size is refused", arguments: [1, 511, 513, (1 << 20) + 1])
    func badSize(bytes: Int) throws {
        let path = try directory.sparseFile("disk", size: bytes)
        #expect(throws: DiskError.size(UInt64(bytes))) { try DiskFile(path: path, readOnly: false) }
    }

    @Test("an empty file and a file that is not there are refused")
    func empty() throws {
        let path = try directory.file("disk", [])
        #expect(throws: DiskError.empty) { try DiskFile(path: path, readOnly: true) }
        #expect(throws: DiskError.open(.noEntry)) { try DiskFile(path: directory.path("none"), readOnly: true) }
        #expect(throws: DiskError.open(Errno(rawValue: ENOTDIR))) { try DiskFile(path: path + "/x", readOnly: true) }
    }

    @Test("what is no file is named, and a FIFO is not waited for", arguments: [true, false])
    func kinds(readOnly: Bool) throws {
        #expect(throws: DiskError.kind("a directory")) { try DiskFile(path: directory.path, readOnly: readOnly) }
        let fifo = directory.makeFIFO("fifo")
        #expect(throws: DiskError.kind("a FIFO")) { try DiskFile(path: fifo, readOnly: readOnly) }
        #expect(throws: DiskError.kind("a character device")) { try DiskFile(path: "/dev/zero", readOnly: readOnly) }
        let socket = try UnixListener(path: directory.path("socket"))
        #expect(throws: DiskError.open(Errno(rawValue: ENXIO))) {
            try DiskFile(path: directory.path("socket"), readOnly: readOnly)
        }
        _ = socket.raw
    }

    @Test("one writer, or any number of readers")
    func locks() throws {
        let path = try directory.sparseFile("disk", size: 4096)
        do {
            let writer = try DiskFile(path: path, readOnly: false)
            #expect(throws: DiskError.inUse(writable: true)) { try DiskFile(path: path, readOnly: false) }
            #expect(throws: DiskError.inUse(writable: false)) { try DiskFile(path: path, readOnly: true) }
            withExtendedLifetime(writer) {}
        }
        do {
            let readers = try (0..<3).map { _ in try DiskFile(path: path, readOnly: true) }
            #expect(throws: DiskError.inUse(writable: true)) { try DiskFile(path: path, readOnly: false) }
            withExtendedLifetime(readers) {}
        }
        _ = try DiskFile(path: path, readOnly: false)
    }

    @Test("the contents are never looked at: an image with another format's magic is as raw as any")
    func formats() throws {
        let magic: [UInt8] = [0x51, 0x46, 0x49, 0xFB, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 100]
        let path = try directory.file("disk", magic + [UInt8](repeating: 0, count: 1008))
        #expect(try DiskFile(path: path, readOnly: true).size == 1024)
    }
}
