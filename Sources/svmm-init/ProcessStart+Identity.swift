import AgentCore
import AgentProtocol

extension ProcessStart {
    /// Files of users and groups larger than that are cut.
    private static let databaseLimit = 16 << 20

    /// Looks the user up in the files of the container, which is the root by now.
    func lookUpUser() throws(AgentFailure) -> UserDatabase.Identity {
        let name = Array(configuration.user.utf8)
        let database = UserDatabase(passwd: regularFile("/etc/passwd"), group: regularFile("/etc/group"))
        do throws(UserDatabase.Failure) {
            return try database.identity(name, additional: configuration.additionalGroups.map { Array($0.utf8) })
        } catch {
            switch error {
            case .noSuchUser(let name):
                throw AgentFailure(.failed, "unable to find user \(text(name)): no matching entries in passwd file")
            case .noSuchGroup(let name):
                throw AgentFailure(.failed, "unable to find group \(text(name)): no matching entries in group file")
            }
        }
    }

    /// What the image has there may be anything.
    private func regularFile(_ path: String) -> [UInt8] {
        let file = agent_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0)
        guard file >= 0 else { return [] }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.kind == .regular else { return [] }
        return contents(of: file, limit: Self.databaseLimit)
    }

    /// The highest number that this kernel knows.
    private static var lastCapability: UInt64 {
        var last: UInt64 = 0
        while last < 63, agent_prctl(PR_CAPBSET_READ, UInt(last + 1), 0) >= 0 { last += 1 }
        return last
    }

    func takeIdentity(_ identity: UserDatabase.Identity) throws(AgentFailure) {
        let last = Self.lastCapability
        let known = last >= 63 ? UInt64.max : (1 << (last + 1)) - 1
        let ambient = configuration.ambientCapabilities & known
        let allowed = configuration.capabilities & known | ambient
        do throws(Errno) {
            for number in 0...last where allowed & (1 << number) == 0 {
                try check(agent_prctl(PR_CAPBSET_DROP, UInt(number), 0))
            }
            // Not lost with the change of the user; the permitted ones are set right after it.
            try check(agent_prctl(PR_SET_KEEPCAPS, 1, 0))
            try check(agent_set_groups(identity.groups, identity.groups.count))
            try check(agent_set_group(identity.group))
            try check(agent_set_user(identity.user))
            try check(agent_set_capabilities(identity.user == 0 ? allowed : ambient, ambient))
            for number in 0...last where ambient & (1 << number) != 0 {
                try check(agent_prctl(PR_CAP_AMBIENT, UInt(PR_CAP_AMBIENT_RAISE), UInt(number)))
            }
            try check(agent_prctl(PR_SET_KEEPCAPS, 0, 0))
            if configuration.hasNoNewPrivileges { try check(agent_prctl(PR_SET_NO_NEW_PRIVS, 1, 0)) }
        } catch {
            throw AgentFailure(.failed, "user \(identity.user) with capabilities \(allowed): \(error.text)")
        }
    }
}
