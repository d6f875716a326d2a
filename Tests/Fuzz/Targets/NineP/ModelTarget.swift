import NinePSupport

/// 9P answers beside those of the same system calls.
enum ModelTarget {
    static let target = FuzzTarget("9p-model", maximumLength: 2048) { input in
        let comparison = try ModelComparison()
        while !input.isEmpty {
            let step = Step.random(&input, handles: comparison.handleCount)
            trace("\(step)")
            if let difference = try comparison.difference(step) { violation("\(step): \(difference)") }
        }
        let (served, direct) = try comparison.contents()
        require(served == direct, "the directories are \(served) and \(direct)")
    }
}
