/* Sockets between guest and host, for Swift, which cannot cast between kinds of addresses as C does. */
#ifndef GUEST_VSOCK_H
#define GUEST_VSOCK_H

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

/* struct sockaddr_vm of <linux/vm_sockets.h>, which musl does not come with. */
struct guest_vsock_address {
    uint16_t family, reserved;
    uint32_t port, cid;
    uint8_t rest[4];
};

/* Each returns a descriptor, or -1 with errno. */

static inline int guest_close_failed(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static inline int guest_vsock_connect(uint32_t cid, uint32_t port)
{
    struct guest_vsock_address address = { .family = 40 /* AF_VSOCK */, .port = port, .cid = cid };
    int fd = socket(40, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : guest_close_failed(fd);
}

static inline int guest_vsock_listen(uint32_t port, int backlog)
{
    struct guest_vsock_address address = { .family = 40, .port = port, .cid = ~0u /* VMADDR_CID_ANY */ };
    int fd = socket(40, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, backlog) != 0)
        return guest_close_failed(fd);
    return fd;
}

/* With a backlog: listens. Without: connects. */
static inline int guest_unix_socket(const char *path, int backlog)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (backlog == 0)
        return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : guest_close_failed(fd);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, backlog) != 0)
        return guest_close_failed(fd);
    return fd;
}

/* This system's address as guest: IOCTL_VM_SOCKETS_GET_LOCAL_CID of <linux/vm_sockets.h>. */
static inline int64_t guest_vsock_cid(void)
{
    uint32_t cid = 0;
    int fd = open("/dev/vsock", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = ioctl(fd, 0x7b9, &cid);
    close(fd);
    return result == 0 ? (int64_t)cid : -1;
}

static inline int guest_accept(int fd) { return accept4(fd, NULL, NULL, SOCK_CLOEXEC); }
static inline void guest_set_nonblocking(int fd) { fcntl(fd, F_SETFL, O_NONBLOCK); }

static inline void guest_ignore_broken_pipes(void) { signal(SIGPIPE, SIG_IGN); }

/* Returns 0 in the child. */
static inline pid_t guest_fork(void) { return fork(); }

/* Starts a program and waits for its end: its exit status, 128 and the signal that ended it, or -1. */
static inline int guest_run(char *const arguments[])
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        execv(arguments[0], arguments);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* As many descriptors as root can have, or as anybody is allowed to. */
static inline void guest_raise_descriptor_limit(rlim_t count)
{
    struct rlimit limit = { count, count };
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

#endif
