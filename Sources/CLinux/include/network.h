/* Network devices: TAP (linux/if_tun.h), vhost-net, and what Swift does not import of sockets and processes. */
#ifndef SVMM_NETWORK_H
#define SVMM_NETWORK_H

#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/wait.h>

static const unsigned long svmm_tunsetiff = TUNSETIFF;
static const unsigned long svmm_tungetiff = TUNGETIFF;
static const unsigned long svmm_tunsetoffload = TUNSETOFFLOAD;
static const unsigned long svmm_tunsetvnethdrsz = TUNSETVNETHDRSZ;
static const unsigned long svmm_tunsetvnetle = TUNSETVNETLE;
static const unsigned long svmm_tunsetqueue = TUNSETQUEUE;
static const unsigned long svmm_vhost_net_set_backend = VHOST_NET_SET_BACKEND;

enum svmm_tap {
    SVMM_TAP_FLAGS = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR,
    SVMM_TAP_TUN = IFF_TUN,
    SVMM_TAP_NO_PI = IFF_NO_PI,
    SVMM_TAP_VNET_HDR = IFF_VNET_HDR,
    SVMM_TAP_MULTI_QUEUE = IFF_MULTI_QUEUE,
    SVMM_TAP_ATTACH = IFF_ATTACH_QUEUE,
    SVMM_TAP_DETACH = IFF_DETACH_QUEUE,
    SVMM_TUN_F_CSUM = TUN_F_CSUM,
    SVMM_TUN_F_TSO4 = TUN_F_TSO4,
    SVMM_TUN_F_TSO6 = TUN_F_TSO6,
    SVMM_TUN_F_TSO_ECN = TUN_F_TSO_ECN,
    SVMM_TUN_F_UFO = TUN_F_UFO,
    SVMM_IFF_UP = IFF_UP,
};

/* struct ifreq is a union that Swift reads badly: its parts, one by one. */
static inline void svmm_ifreq_set_name(struct ifreq *request, const char *name)
{
    memset(request, 0, sizeof(*request));
    strncpy(request->ifr_name, name, IFNAMSIZ - 1);
}
static inline const char *svmm_ifreq_name(const struct ifreq *request) { return request->ifr_name; }
static inline int svmm_ifreq_flags(const struct ifreq *request) { return (unsigned short)request->ifr_flags; }
static inline void svmm_ifreq_set_flags(struct ifreq *request, int flags) { request->ifr_flags = (short)flags; }
static inline int svmm_ifreq_mtu(const struct ifreq *request) { return request->ifr_mtu; }
static inline void svmm_ifreq_set_mtu(struct ifreq *request, int mtu) { request->ifr_mtu = mtu; }

static const unsigned long svmm_siocgifmtu = SIOCGIFMTU;
static const unsigned long svmm_siocsifmtu = SIOCSIFMTU;
static const unsigned long svmm_siocgifflags = SIOCGIFFLAGS;
static const unsigned long svmm_siocsifflags = SIOCSIFFLAGS;

/* getpeername(2), whose address is a transparent union in glibc's GNU mode. */
static inline int svmm_getpeername(int fd, struct sockaddr_storage *address, socklen_t *size)
{
    return getpeername(fd, (struct sockaddr *)address, size);
}

/* bind(2) with any address. */
static inline int svmm_bind(int fd, const void *address, socklen_t size)
{
    return bind(fd, (const struct sockaddr *)address, size);
}

/* connect(2) with any address. */
static inline int svmm_connect(int fd, const void *address, socklen_t size)
{
    return connect(fd, (const struct sockaddr *)address, size);
}

/* accept4(2) with the peer's address. */
static inline int svmm_accept_from(int fd, void *address, socklen_t *size, int flags)
{
    return accept4(fd, (struct sockaddr *)address, size, flags);
}

/* getsockname(2) with any address. */
static inline int svmm_getsockname(int fd, void *address, socklen_t *size)
{
    return getsockname(fd, (struct sockaddr *)address, size);
}

/* recvfrom(2) with any address. */
static inline ssize_t svmm_receive_from(int fd, void *buffer, size_t count, int flags, void *address, socklen_t *size)
{
    return recvfrom(fd, buffer, count, flags, (struct sockaddr *)address, size);
}

/* sendto(2) with any address. */
static inline ssize_t svmm_send_to(int fd, const void *buffer, size_t count, int flags, const void *address, socklen_t size)
{
    return sendto(fd, buffer, count, flags, (const struct sockaddr *)address, size);
}

/* pidfd_open(2); glibc 2.36 declares it in a header of its own. */
static inline int svmm_pidfd_open(pid_t process) { return (int)syscall(SYS_pidfd_open, process, 0); }

/* waitpid(2) for the end of a child: its exit status, 128 + the signal that ended it, or -1. */
static inline int svmm_wait(pid_t process)
{
    int status;
    pid_t found;
    do found = waitpid(process, &status, 0); while (found == -1 && errno == EINTR);
    if (found != process) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
