import KVM
import LinuxSystem

/// Words for the ways in which KVM gives up.
enum FailureText {
    static func describe(_ error: InternalError, processor: Int) -> String {
        let pointer = "0x" + String(error.instructionPointer, radix: 16)
        guard error.suberror == InternalError.emulationFailure else {
            return "KVM internal error \(error.suberror) on vCPU \(processor) at RIP \(pointer)"
        }
        let bytes = error.instructionBytes.map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined(separator: " ")
        var text = "KVM could not emulate an instruction on vCPU \(processor) at RIP \(pointer)"
        if !bytes.isEmpty { text += " (bytes \(bytes))" }
        if !hasHardwareVirtualization() {
            text += "; this machine's KVM has no hardware virtualization behind it (no vmx or svm in /proc/cpuinfo): run svmm in Tools/rig or on another machine"
        }
        return text
    }

    /// Whether the processor announces VMX or SVM. True when that cannot be told.
    static func hasHardwareVirtualization() -> Bool {
        guard let bytes = contents(ofSmallFile: "/proc/cpuinfo") else { return true }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("flags") }) else { return true }
        return line.split(separator: " ").contains { $0 == "vmx" || $0 == "svm" }
    }
}
