/* The host's end of sockets that svmm itself serves, for a program that knows AF_VSOCK only: the linker puts these in the
 * place of the C library's calls. A guest's port is reached by CONNECT at the path in SVMM_VSOCK; a port of the host's is a
 * unix socket with the port behind that path. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <linux/vm_sockets.h>

int __real_socket(int domain, int type, int protocol);
int __real_bind(int fd, const struct sockaddr *address, socklen_t size);
int __real_connect(int fd, const struct sockaddr *address, socklen_t size);
int __real_accept(int fd, struct sockaddr *address, socklen_t *size);
int __real_close(int fd);
int unlink(const char *path);

/* The ports of descriptors that are bound, 0 for none. */
static unsigned int bound[1024];

static void make_address(struct sockaddr_un *address, const char *suffix)
{
    const char *path = getenv("SVMM_VSOCK");

    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    snprintf(address->sun_path, sizeof address->sun_path, "%s%s", path ? path : "", suffix);
}

static void make_port_address(struct sockaddr_un *address, unsigned int port)
{
    char suffix[16];

    snprintf(suffix, sizeof suffix, "_%u", port);
    make_address(address, suffix);
}

int __wrap_socket(int domain, int type, int protocol)
{
    return __real_socket(domain == AF_VSOCK ? AF_UNIX : domain, type, protocol);
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size)
{
    struct sockaddr_un local;

    if (address->sa_family != AF_VSOCK)
        return __real_bind(fd, address, size);
    unsigned int port = ((const struct sockaddr_vm *)address)->svm_port;
    make_port_address(&local, port);
    if (__real_bind(fd, (struct sockaddr *)&local, sizeof local) != 0)
        return -1;
    if (fd < (int)(sizeof bound / sizeof bound[0]))
        bound[fd] = port;
    return 0;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    struct sockaddr_un local;
    char line[64];

    if (address->sa_family != AF_VSOCK)
        return __real_connect(fd, address, size);
    make_address(&local, "");
    if (__real_connect(fd, (struct sockaddr *)&local, sizeof local) != 0)
        return -1;
    int length = snprintf(line, sizeof line, "CONNECT %u\n", ((const struct sockaddr_vm *)address)->svm_port);
    if (send(fd, line, length, MSG_NOSIGNAL) != length)
        return -1;
    /* Byte by byte: what follows the line is the guest's. */
    for (size_t count = 0; count < sizeof line; count++) {
        ssize_t got = recv(fd, line + count, 1, 0);
        if (got < 0 && errno == EINTR)
            return -1;
        if (got <= 0)
            break;
        if (line[count] == '\n')
            return 0;
    }
    errno = ECONNRESET;
    return -1;
}

int __wrap_accept(int fd, struct sockaddr *address, socklen_t *size)
{
    if (fd < 0 || fd >= (int)(sizeof bound / sizeof bound[0]) || !bound[fd])
        return __real_accept(fd, address, size);
    int connection = __real_accept(fd, NULL, NULL);
    if (connection >= 0 && address && *size >= sizeof(struct sockaddr_vm)) {
        *(struct sockaddr_vm *)address = (struct sockaddr_vm){ .svm_family = AF_VSOCK, .svm_cid = 3 };
        *size = sizeof(struct sockaddr_vm);
    }
    return connection;
}

int __wrap_close(int fd)
{
    struct sockaddr_un local;

    if (fd >= 0 && fd < (int)(sizeof bound / sizeof bound[0]) && bound[fd]) {
        make_port_address(&local, bound[fd]);
        unlink(local.sun_path);
        bound[fd] = 0;
    }
    return __real_close(fd);
}
