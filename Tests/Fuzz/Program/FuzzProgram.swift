import FuzzTargets
import Glibc
import LinuxSystem

/// What libFuzzer calls with each input: the target that SVMM_FUZZ_TARGET names.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    target.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

private let target: FuzzTarget = {
    let name = getenv("SVMM_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let found = FuzzTarget.all.first(where: { $0.name == name }) else {
        let names = FuzzTarget.all.map(\.name).joined(separator: " ")
        printErrorLine("SVMM_FUZZ_TARGET is \"\(name)\", expected one of: \(names)")
        exit(2)
    }
    return found
}()
