import LinuxSystem
import Synchronization

/// A file of the frames that cross a device, both ways, as tcpdump reads it (pcap-savefile(5), with nanoseconds). From any thread.
public final class PacketCapture: Sendable {
    private struct State: ~Copyable {
        /// nil when writing has failed.
        var file: FileDescriptor?
        /// Bytes up to which the file is whole.
        var size: UInt64
        var vectors = FrameVectors()
    }

    private static let recordHeaderSize = 16
    private static let sizeLimit = 262_144
    private static let ethernet: UInt32 = 1  // LINKTYPE_ETHERNET

    private let name: String
    private let state: Mutex<State>
    /// Scratch for a record's header, touched with the state's lock held only.
    private nonisolated(unsafe) let header = UnsafeMutableRawBufferPointer.allocate(byteCount: recordHeaderSize, alignment: 8)

    /// - Parameters:
    ///   - file: a regular file, empty, and open for writing.
    ///   - name: as the user knows it, for messages.
    public init(_ file: consuming FileDescriptor, name: String) throws(Errno) {
        var bytes: [UInt8] = []
        func put<Value: FixedWidthInteger>(_ value: Value) {
            for index in 0..<(Value.bitWidth / 8) { bytes.append(UInt8(truncatingIfNeeded: value >> Value(8 * index))) }
        }
        put(0xA1B2_3C4D as UInt32)  // nanoseconds, in this byte order
        put(2 as UInt16)
        put(4 as UInt16)
        put(0 as UInt64)
        put(UInt32(Self.sizeLimit))
        put(Self.ethernet)
        let raw = file.raw
        guard bytes.withUnsafeBytes({ writeWhatFits(raw, $0) }) == bytes.count else { throw .current }
        self.name = name
        state = Mutex(State(file: consume file, size: UInt64(bytes.count)))
    }

    deinit {
        header.deallocate()
    }

    /// Writes the frame that begins `skip` bytes into the areas and is `count` bytes long. The first failure ends the capture with
    /// a line on standard error; traffic goes on.
    func record(_ frame: borrowing FrameVectors, skip: Int, count: Int) {
        guard count > 0 else { return }
        let time = Clock.realTimeNanoseconds()
        let failure = state.withLock { (state: inout State) -> Errno? in
            guard let raw = state.file?.raw else { return nil }
            state.vectors.removeAll()
            _ = state.vectors.append(header)
            let kept = state.vectors.append(frame, from: skip, count: min(count, Self.sizeLimit))
            header.storeBytes(of: UInt32(truncatingIfNeeded: time / 1_000_000_000), toByteOffset: 0, as: UInt32.self)
            header.storeBytes(of: UInt32(truncatingIfNeeded: time % 1_000_000_000), toByteOffset: 4, as: UInt32.self)
            header.storeBytes(of: UInt32(clamping: kept), toByteOffset: 8, as: UInt32.self)
            header.storeBytes(of: UInt32(clamping: count), toByteOffset: 12, as: UInt32.self)
            let total = Self.recordHeaderSize + kept
            var failure = Errno.noSpace
            do throws(Errno) {
                if try state.vectors.write(to: raw) == total {
                    state.size += UInt64(total)
                    return nil
                }
            } catch {
                failure = error
            }
            // What is there stays readable.
            try? state.file?.truncate(to: state.size)
            state.file = nil
            return failure
        }
        if let failure { printErrorLine("svmm: \(name): \(failure); the capture ends here, traffic goes on") }
    }
}
