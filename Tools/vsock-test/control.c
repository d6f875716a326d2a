/* In the place of the kernel's tools/testing/vsock/control.c: the two ends of vsock_test agree on each step by lines of text,
 * here over the sockets between guest and host themselves. The guest connects and the host listens, whichever is the test's
 * server.
 *
 * --control-host is `listen`, for vhost; the path of svmm's CONNECT socket; or, in the guest, the host's address, 2. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "control.h"
#include "timeout.h"

static FILE *peer;

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static int accept_one(int fd, const struct sockaddr *address, socklen_t size)
{
    if (bind(fd, address, size) != 0 || listen(fd, 1) != 0)
        fail("control: listen");
    printf("Control socket listening\n");
    fflush(stdout);
    int connection = accept(fd, NULL, NULL);
    if (connection < 0)
        fail("control: accept");
    close(fd);
    return connection;
}

void control_init(const char *host, const char *port, bool server)
{
    struct sockaddr_vm vm = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = strtoul(port, NULL, 10) };
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    int fd;

    (void)server;
    if (host[0] == '/') {
        snprintf(local.sun_path, sizeof local.sun_path, "%s_%s", host, port);
        unlink(local.sun_path);
        fd = accept_one(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&local, sizeof local);
        unlink(local.sun_path);
    } else if (strcmp(host, "listen") == 0) {
        fd = accept_one(socket(AF_VSOCK, SOCK_STREAM, 0), (struct sockaddr *)&vm, sizeof vm);
    } else {
        vm.svm_cid = strtoul(host, NULL, 10);
        fd = socket(AF_VSOCK, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&vm, sizeof vm) != 0)
            fail("control: connect");
    }
    peer = fdopen(fd, "r+");
    if (!peer)
        fail("control: fdopen");
    setvbuf(peer, NULL, _IONBF, 0);
}

void control_cleanup(void)
{
    fclose(peer);
}

void control_writeln(const char *line)
{
    timeout_begin(TIMEOUT);
    if (fprintf(peer, "%s\n", line) < 0)
        fail("control: write");
    timeout_end();
}

char *control_readln(void)
{
    char *line = NULL;
    size_t size = 0;

    timeout_begin(TIMEOUT);
    ssize_t length = getline(&line, &size, peer);
    timeout_check("control: read");
    timeout_end();
    if (length <= 0) {
        fprintf(stderr, "control: the peer has ended\n");
        exit(EXIT_FAILURE);
    }
    line[strcspn(line, "\n")] = 0;
    return line;
}

bool control_cmpln(char *line, const char *expected, bool must)
{
    if (strcmp(line, expected) == 0)
        return true;
    if (must) {
        fprintf(stderr, "control: expected \"%s\", got \"%s\"\n", expected, line);
        exit(EXIT_FAILURE);
    }
    return false;
}

void control_expectln(const char *expected)
{
    char *line = control_readln();

    control_cmpln(line, expected, true);
    free(line);
}
