import LinuxSystem
import Synchronization

/// Counts what clients use up, and refuses what is too much.
final class Budget: Sendable {
    private let limit: Int
    private let used = Atomic<Int>(0)

    init(limit: Int) {
        self.limit = limit
    }

    /// What is in use.
    var inUse: Int { used.load(ordering: .relaxed) }

    /// Throws `error` when less than `amount` is left.
    func reserve(_ amount: Int = 1, or error: Errno) throws(Errno) -> Reservation {
        let before = used.add(amount, ordering: .relaxed).oldValue
        guard amount <= limit, before <= limit - amount else {
            used.subtract(amount, ordering: .relaxed)
            throw error
        }
        return Reservation(budget: self, amount: amount)
    }

    fileprivate func giveBack(_ amount: Int) {
        used.subtract(amount, ordering: .relaxed)
    }
}

/// A part of a budget, given back when the value ends.
struct Reservation: ~Copyable, Sendable {
    fileprivate let budget: Budget
    fileprivate let amount: Int

    fileprivate init(budget: Budget, amount: Int) {
        self.budget = budget
        self.amount = amount
    }

    deinit {
        budget.giveBack(amount)
    }
}

/// What all exports of a server share.
final class Host: Sendable {
    let descriptors: DescriptorDirectory
    let names: DescriptorNames
    let paths = PathNumbers()
    let budget: Budget

    init(maximumDescriptors: Int?) throws(Errno) {
        descriptors = try DescriptorDirectory()
        names = try DescriptorNames()
        // An eighth, at least 64, stays for the rest of the process: no client can use up what the monitor needs.
        let all = CurrentProcess.descriptorLimit()
        budget = Budget(limit: maximumDescriptors ?? max(all - max(all / 8, 64), 16))
    }

    func reserveDescriptor() throws(Errno) -> Reservation {
        try budget.reserve(or: .tooManyFiles)
    }
}
