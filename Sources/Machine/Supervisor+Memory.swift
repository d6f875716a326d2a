import Devices
import LinuxSystem
import MachineProtocol

extension Supervisor {
    /// How long the control thread waits for the guest to say how its memory is doing: half a second, and only for guests that
    /// have answered before. A guest that never answers costs that time once, one that stands still none.
    private static let statisticsTime: UInt64 = 500_000_000

    /// `svmm balloon`: how much memory the guest is to keep, in bytes.
    func setMemory(_ bytes: UInt64) -> ControlReply {
        let size = description.memorySize
        guard description.hasBalloon else { return .failed("the machine has no balloon, expected one by --balloon on") }
        guard bytes <= size else {
            return .failed("\(bytes >> 20) MiB for the guest to keep: it has \(size >> 20) MiB, expected at most that")
        }
        balloonTarget = size - bytes
        machine?.balloon?.target = balloonTarget
        return .done
    }

    /// `svmm stats` and `svmm ps`. Bytes, where a name does not say otherwise.
    func statistics() -> MachineStatistics {
        var result = MachineStatistics()
        result.add(MachineStatistics.memory, description.memorySize)
        result.add(MachineStatistics.resident, residentMemory?.bytes())
        result.add(MachineStatistics.privateMemory, CurrentProcess.privateMemory())
        result.add(MachineStatistics.processorTime, CurrentProcess.processorTime())
        result.add(MachineStatistics.uptime, CurrentProcess.age())
        result.add(MachineStatistics.process, UInt64(CurrentProcess.identifier))
        if let machine, machine.outcome == nil { result.add(MachineStatistics.paused, isPaused ? 1 : 0) }
        guard let balloon = machine?.balloon else { return result }
        result.add("balloon_target", balloon.target)
        result.add("balloon", balloon.actual)
        guard let (guest, age) = balloon.statistics(waitingFor: isPaused ? 0 : Self.statisticsTime) else { return result }
        for tag in GuestStatistics.Tag.allCases { result.add(tag.name, guest[tag]) }
        result.add("guest_age_ms", age / 1_000_000)
        return result
    }
}

extension GuestStatistics.Tag {
    fileprivate var name: String {
        switch self {
        case .total: "guest_total"
        case .free: "guest_free"
        case .available: "guest_available"
        case .diskCaches: "guest_caches"
        case .swappedIn: "guest_swapped_in"
        case .swappedOut: "guest_swapped_out"
        case .majorFaults: "guest_major_faults"
        case .minorFaults: "guest_minor_faults"
        case .hugePageAllocations: "guest_huge_page_allocations"
        case .hugePageFailures: "guest_huge_page_failures"
        case .outOfMemoryKills: "guest_oom_kills"
        case .allocationStalls: "guest_allocation_stalls"
        case .backgroundScans: "guest_background_scans"
        case .directScans: "guest_direct_scans"
        case .backgroundReclaims: "guest_background_reclaims"
        case .directReclaims: "guest_direct_reclaims"
        }
    }
}
