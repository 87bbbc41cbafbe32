/* SPDX-License-Identifier: GPL-2.0 */
/* What the kinds of traffic share; see main.c. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif

#define PERIOD 65521
#define CHUNK 65536
#define MAX_SOCKETS 256

#define TCP_PORT 7000

extern const char *from, *to, *address;
extern uint8_t pattern[PERIOD + 2 * CHUNK];
extern int end[2];

void die(const char *what);
const char *text(const char *key, const char *otherwise);
long number(const char *key, long otherwise);
double now(void);
void nap(double seconds);
void enter(const char *ns);
void option(int fd, int level, int name, int value, const char *what);
socklen_t place(struct sockaddr_storage *place, int port, int any);
int bound(int type, int port);
int connected(int type, int port);

void report(const char *format, ...);
void is_ready(void);
void start(void (*receiver)(void));
void finish(void);

int watch(const char *device, unsigned int larger);
unsigned int watched(int fd);
int raw_watch(unsigned int larger);
unsigned int raw_watched(int fd);

void tcp(void);
void connections(void);
void datagrams(void);
void echo(void);
void hold(void);
void tap(void);
void nfqueue(void);
