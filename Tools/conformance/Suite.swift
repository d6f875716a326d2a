import Glibc

/// One thing that a file system has to do. The body runs in a process and an empty directory of its own.
struct Case {
    /// A sentence about behaviour; what --only and --skip match.
    let name: String
    let body: () -> Void
}

/// All cases, by subject, in the order in which they run.
struct Suite {
    private(set) var cases: [Case] = []
    private var subject = ""

    init(_ options: Options) {
        let subjects: [(String, (inout Suite) -> Void)] = [
            ("open", addOpenCases), ("read and write", addTransferCases), ("holes", addHoleCases),
            ("truncate", addTruncationCases), ("unlinked", addUnlinkedCases), ("rename", addRenameCases),
            ("links", addLinkCases), ("directories", addDirectoryCases), ("special files", addSpecialFileCases),
            ("listing", { addListingCases(&$0, entryCount: options.entryCount) }), ("names", addNameCases),
            ("status", addStatusCases), ("permissions", addPermissionCases), ("times", addTimeCases),
            ("space", addSpaceCases), ("mappings", addMappingCases), ("attributes", addAttributeCases),
            ("access lists", addAccessListCases), ("locks", addLockCases), ("limits", addLimitCases),
            ("concurrency", addConcurrencyCases),
        ]
        for (name, add) in subjects {
            subject = name
            add(&self)
        }
    }

    mutating func check(_ name: String, _ body: @escaping () -> Void) {
        cases.append(Case(name: "\(subject): \(name)", body: body))
    }

    /// As `check`, for what only root may do.
    mutating func checkAsRoot(_ name: String, _ body: @escaping () -> Void) {
        check(name) {
            if geteuid() != 0 { notApplicable("needs root") }
            body()
        }
    }
}
