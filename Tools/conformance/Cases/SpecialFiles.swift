import ConformanceC
import Glibc

func addSpecialFileCases(_ suite: inout Suite) {
    addPipeCases(&suite)
    addSocketCases(&suite)
    suite.check("mknod of a regular file makes one") {
        ok("mknod", mknod("f", S_IFREG | 0o640, 0))
        same("type", kind(status("f")), S_IFREG)
        same("mode", permissions(status("f")), 0o640)
        create("f", "data")
        sameContents("f", "data")
    }
    suite.check("mknod without a type makes a regular file") {
        ok("mknod", mknod("f", 0o600, 0))
        same("type", kind(status("f")), S_IFREG)
    }
    suite.check("mknod of a directory is refused") { refused(EPERM, EINVAL, by: "mknod", mknod("d", S_IFDIR | 0o755, 0)) }
    suite.check("mknod refuses a name that is there") {
        create("f")
        refused(EEXIST, by: "mknod", mknod("f", S_IFIFO | 0o600, 0))
        refused(EEXIST, by: "mknod", mknod("f", S_IFREG | 0o600, 0))
    }
    let devices: [(String, mode_t, UInt32, UInt32)] = [
        ("character", S_IFCHR, 1, 3), ("block", S_IFBLK, 7, 300), ("character", S_IFCHR, 4095, 1_048_575),
    ]
    for (name, type, major, minor) in devices {
        suite.checkAsRoot("a \(name) device \(major):\(minor) keeps its number, or is refused") {
            supported("mknod", unless: EPERM, result: mknod("d", type | 0o600, fc_device(major, minor)))
            same("type", kind(status("d")), type)
            same("number", status("d").st_rdev, fc_device(major, minor))
            let listed = entries().first { $0.text == "d" }?.type ?? 255
            holds("readdir says the type, or that it does not know", listed == 0 || UInt32(listed) << 12 == type)
        }
    }
    suite.checkAsRoot("a null device takes what is written, or devices are refused") {
        supported("mknod", unless: EPERM, result: mknod("null", S_IFCHR | 0o666, fc_device(1, 3)))
        let file = supported("open", unless: EACCES, result: fc_open("null", O_RDWR, 0))
        writeText(file, "x")
        var byte: UInt8 = 0
        same("read", read(file, &byte, 1), 0)
    }
    suite.check("a user makes no devices") {
        if geteuid() != 0 { notApplicable("needs root") }
        ok("chmod", chmod(".", 0o777))
        asUser(1000) { refused(EPERM, by: "mknod", mknod("d", S_IFCHR | 0o600, fc_device(1, 3))) }
    }
}

private func makePipe(_ path: String = "p") {
    supported("mkfifo", unless: EPERM, result: mkfifo(path, 0o600))
}

private func addPipeCases(_ suite: inout Suite) {
    suite.check("mkfifo makes a FIFO with its mode") {
        makePipe()
        same("type", kind(status("p")), S_IFIFO)
        same("mode", permissions(status("p")), 0o600)
    }
    suite.check("a FIFO carries bytes between processes") {
        makePipe()
        let child = Child {
            let file = openFile("p", O_WRONLY)
            writeAll(file, pattern(200_000))
        }
        let file = openFile("p", O_RDONLY)
        var found: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = ok("read", read(file, &chunk, chunk.count))
            if count == 0 { break }
            found += chunk[..<count]
        }
        child.finish()
        sameBytes("contents", found, pattern(200_000))
        same("size", status("p").st_size, 0)
    }
    suite.check("a FIFO without a reader refuses a writer that does not wait") {
        makePipe()
        refused(ENXIO, by: "open", fc_open("p", O_WRONLY | O_NONBLOCK, 0))
        let reader = openFile("p", O_RDONLY | O_NONBLOCK)
        let writer = openFile("p", O_WRONLY | O_NONBLOCK)
        writeText(writer, "x")
        var byte: UInt8 = 0
        same("read", read(reader, &byte, 1), 1)
        refused(EAGAIN, by: "read", read(reader, &byte, 1))
        close(reader)
        refused(EPIPE, by: "write", write(writer, "x", 1))
    }
    suite.check("a FIFO opened for both directions needs nobody else") {
        makePipe()
        let file = openFile("p", O_RDWR)
        writeText(file, "x")
        var byte: UInt8 = 0
        same("read", read(file, &byte, 1), 1)
    }
    suite.check("an unlinked FIFO goes on") {
        makePipe()
        let file = openFile("p", O_RDWR)
        remove("p")
        writeText(file, "x")
        var byte: UInt8 = 0
        same("read", read(file, &byte, 1), 1)
    }
    suite.check("a FIFO has no offsets") {
        makePipe()
        let file = openFile("p", O_RDWR)
        refused(ESPIPE, by: "lseek", lseek(file, 0, SEEK_SET))
        refused(EINVAL, by: "ftruncate", ftruncate(file, 0))
    }
    suite.check("chmod of a FIFO works") {
        makePipe()
        ok("chmod", chmod("p", 0o640))
        same("mode", permissions(status("p")), 0o640)
    }
}

private func addSocketCases(_ suite: inout Suite) {
    suite.check("a bound socket is a file of that type") {
        let socket = ok("socket", fc_stream_socket())
        supported("bind", unless: EPERM, result: fc_bind(socket, "s"))
        same("type", kind(status("s")), S_IFSOCK)
        refused(ENXIO, by: "open", fc_open("s", O_RDWR, 0))
    }
    suite.check("a stream socket on it carries bytes") {
        let listener = ok("socket", fc_stream_socket())
        supported("bind", unless: EPERM, result: fc_bind(listener, "s"))
        ok("listen", listen(listener, 1))
        let child = Child {
            let client = ok("socket", fc_stream_socket())
            ok("connect", fc_connect(client, "s"))
            writeText(client, "hello")
        }
        let connection = ok("accept", accept(listener, nil, nil))
        var buffer = [UInt8](repeating: 0, count: 5)
        same("received", recv(connection, &buffer, 5, Int32(0x100)), 5)
        sameBytes("bytes", buffer, Array("hello".utf8))
        child.finish()
    }
    suite.check("a datagram socket on it carries bytes") {
        let receiver = ok("socket", fc_datagram_socket()), sender = ok("socket", fc_datagram_socket())
        supported("bind", unless: EPERM, result: fc_bind(receiver, "s"))
        ok("connect", fc_connect(sender, "s"))
        writeText(sender, "hello")
        var buffer = [UInt8](repeating: 0, count: 10)
        same("received", recv(receiver, &buffer, 10, 0), 5)
    }
    suite.check("an address is bound once, until its file is removed") {
        let first = ok("socket", fc_stream_socket()), second = ok("socket", fc_stream_socket())
        supported("bind", unless: EPERM, result: fc_bind(first, "s"))
        refused(EADDRINUSE, by: "bind", fc_bind(second, "s"))
        remove("s")
        ok("bind", fc_bind(second, "s"))
    }
    suite.check("a socket that nobody listens to refuses") {
        let first = ok("socket", fc_stream_socket()), second = ok("socket", fc_stream_socket())
        supported("bind", unless: EPERM, result: fc_bind(first, "s"))
        close(first)
        refused(ECONNREFUSED, by: "connect", fc_connect(second, "s"))
        refused(ENOENT, by: "connect", fc_connect(second, "no"))
    }
    suite.check("a renamed socket is reached by its new name") {
        let listener = ok("socket", fc_stream_socket()), client = ok("socket", fc_stream_socket())
        supported("bind", unless: EPERM, result: fc_bind(listener, "s"))
        ok("listen", listen(listener, 1))
        ok("rename", rename("s", "t"))
        ok("connect", fc_connect(client, "t"))
    }
}
