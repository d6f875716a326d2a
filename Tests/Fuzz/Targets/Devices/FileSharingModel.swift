import Devices
import LinuxSystem
import NineP
import TestSupport
import Virtio

/// A 9p device with a small share.
final class FileSharingModel: DeviceModel {
    private let shared: SharedDirectory
    private let server: NinePServer
    let device: any VirtioDevice

    convenience init(_ input: inout FuzzInput) throws {
        let shared = try SharedDirectory()
        try self.init(shared, server: shared.server(&input))
    }

    private init(_ shared: SharedDirectory, server: NinePServer) throws {
        self.shared = shared
        self.server = server
        device = FileSharingDevice(server: server, tag: "fuzz")
    }

    func renewed() throws -> any DeviceModel { try FileSharingModel(shared, server: server) }

    /// Its threads serve what they have taken before they stand still; there is no other moment to wait for.
    func settle() {}

    func request(_ input: inout FuzzInput, queue: Int, _ bench: Bench) throws -> [MockDriver.Buffer] {
        let message = switch input.below(8) {
        case 0: MessageGenerator.versionRequest(input.pick([8192, 65536, 4096, 100, .max]))
        case 1: MessageGenerator.attachRequest(fid: UInt32(input.below(6)))
        default: MessageGenerator.request(&input)
        }
        let room = input.pick([8192, 4096, 11, 10, 0, 65536])
        guard input.once(in: 3), message.count > 8 else { return [try bench.readable(message), bench.writable(room)] }
        let cut = input.below(message.count)
        return [try bench.readable(Array(message[..<cut])), try bench.readable(Array(message[cut...])),
                bench.writable(min(room, 20)), bench.writable(room)]
    }

    func proveThatItWorks(_ bench: Bench) throws {
        let messages = [MessageGenerator.versionRequest(8192), MessageGenerator.attachRequest(fid: 0),
                        MessageGenerator.getattrRequest(fid: 0)]
        for (number, message) in messages.enumerated() {
            let reply = bench.writable(8192)
            try bench.rings[0].add([try bench.readable(message), reply])
            bench.driver.kick()
            bench.wait(0, used: UInt16(number + 1))
            let type = try bench.memory.read(UInt8.self, at: reply.address + 4)
            require(type == message[4] + 1, "message \(message[4]) is answered by \(type) after a reset")
        }
        shared.checkOutside()
    }
}
