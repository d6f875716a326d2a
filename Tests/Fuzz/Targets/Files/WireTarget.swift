import AgentProtocol
import ContainerProtocol
import MachineProtocol
import NineP
import Virtio
import Wire

/// Every message and every record that `Wire` carries: bytes are refused, or are a value that is written and read again as the same.
enum WireTarget {
    /// The first byte says which of them the rest is to be.
    static let target = FuzzTarget("wire", maximumLength: 4096) { input in
        let check = input.pick(checks)
        check(input.rest())
    }

    private static let checks: [@Sendable ([UInt8]) -> Void] = [
        { bytes in check(bytes, { try? MachineDescription(decoding: $0) }, { $0.encoded() }) },
        { bytes in check(bytes, { try? ControlRequest(decoding: $0) }, { body($0.frame) }) },
        { bytes in check(bytes, { try? ControlReply(decoding: $0) }, { body($0.frame) }) },
        { bytes in
            check(bytes, { try? AgentRequest.decode($0).request }, { body($0.frame(1)) })
        },
        { bytes in check(bytes, { try? AgentMessage(decoding: $0) }, { body($0.frame) }) },
        { bytes in check(bytes, { try? ContainerDescription(decoding: $0) }, { $0.encoded }) },
        { bytes in check(bytes, { try? ClientMessage(decoding: $0) }, { body($0.frame) }) },
        { bytes in check(bytes, { try? MonitorMessage(decoding: $0) }, { body($0.frame) }) },
        { bytes in check(bytes, { try? ContainerStatus(decoding: $0) }, { $0.encoded }) },
        { bytes in check(bytes, { try? SavedSession(encoded: $0) }, { $0.encoded }) },
        { bytes in check(bytes, decodeTransport, encodeTransport) },
    ]

    private static func check<Value: Equatable>(
        _ bytes: [UInt8], _ decode: ([UInt8]) -> Value?, _ encode: (Value) -> [UInt8]
    ) {
        guard let value = decode(bytes) else { return }
        let written = encode(value)
        guard let again = decode(written) else { violation("\(Value.self): what was read cannot be read again when it is written") }
        require(again == value, "\(Value.self) is read as another one when it is written")
    }

    /// Without the length.
    private static func body(_ frame: [UInt8]) -> [UInt8] { Array(frame.dropFirst(4)) }

    private static func decodeTransport(_ bytes: [UInt8]) -> TransportSnapshot? {
        var decoder = WireDecoder(bytes)
        guard let value = try? TransportSnapshot(&decoder), (try? decoder.finish()) != nil else { return nil }
        return value
    }

    private static func encodeTransport(_ value: TransportSnapshot) -> [UInt8] {
        var encoder = WireEncoder()
        value.encode(&encoder)
        return encoder.bytes
    }
}
