// SPDX-License-Identifier: GPL-2.0
/*
 * A program that accepts each packet of queue 0 in FROM, and tells how many were larger than a
 * frame when it ends.
 */
#include "traffic.h"
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>

static unsigned long large, all;

struct request {
	struct nlmsghdr head;
	struct nfgenmsg message;
	uint8_t rest[64];
};

static void add(struct request *request, int type, const void *value, size_t length)
{
	struct nlattr attribute = { NLA_HDRLEN + length, type };
	uint8_t *at = (uint8_t *)request + NLMSG_ALIGN(request->head.nlmsg_len);

	memcpy(at, &attribute, sizeof(attribute));
	memcpy(at + NLA_HDRLEN, value, length);
	request->head.nlmsg_len = NLMSG_ALIGN(request->head.nlmsg_len) + NLA_ALIGN(attribute.nla_len);
}

static struct request request_of(int type)
{
	return (struct request){
		.head = { NLMSG_LENGTH(sizeof(struct nfgenmsg)), NFNL_SUBSYS_QUEUE << 8 | type, NLM_F_REQUEST, 0, 0 },
		.message = { AF_UNSPEC, NFNETLINK_V0, 0 },
	};
}

static void transmit(int fd, struct request *request)
{
	if (send(fd, request, request->head.nlmsg_len, 0) < 0)
		die("netlink");
}

static void tell(int signal)
{
	(void)signal;
	dprintf(1, "queued=%lu fault_large=%lu\n", all, large);
	_exit(0);
}

static void packet(int fd, const struct nlmsghdr *head)
{
	struct nfqnl_msg_verdict_hdr verdict = { htonl(NF_ACCEPT), 0 };
	const uint8_t *at = (const uint8_t *)head + NLMSG_LENGTH(sizeof(struct nfgenmsg));
	const uint8_t *last = (const uint8_t *)head + head->nlmsg_len;
	struct request answer = request_of(NFQNL_MSG_VERDICT);

	while (at + NLA_HDRLEN <= last) {
		const struct nlattr *attribute = (const void *)at;

		if (attribute->nla_len < NLA_HDRLEN)
			break;
		if (attribute->nla_type == NFQA_PACKET_HDR)
			memcpy(&verdict.id, at + NLA_HDRLEN, sizeof(verdict.id));
		if (attribute->nla_type == NFQA_PAYLOAD)
			large += attribute->nla_len > 1600;
		at += NLA_ALIGN(attribute->nla_len);
	}
	all++;
	add(&answer, NFQA_VERDICT_HDR, &verdict, sizeof(verdict));
	transmit(fd, &answer);
}

void nfqueue(void)
{
	struct nfqnl_msg_config_cmd bind = { NFQNL_CFG_CMD_BIND, 0, htons(AF_UNSPEC) };
	struct nfqnl_msg_config_params params = { htonl(0xffff), NFQNL_COPY_PACKET };
	struct request request = request_of(NFQNL_MSG_CONFIG);
	static uint8_t buffer[4 * CHUNK];
	uint32_t length = htonl(10000);
	int fd;

	enter(from);
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
	if (fd < 0)
		die("netlink");
	option(fd, SOL_SOCKET, SO_RCVBUFFORCE, 1 << 25, "SO_RCVBUFFORCE");
	add(&request, NFQA_CFG_CMD, &bind, sizeof(bind));
	transmit(fd, &request);
	request = request_of(NFQNL_MSG_CONFIG);
	add(&request, NFQA_CFG_PARAMS, &params, sizeof(params));
	add(&request, NFQA_CFG_QUEUE_MAXLEN, &length, sizeof(length));
	transmit(fd, &request);
	signal(SIGTERM, tell);
	puts("up");
	fflush(stdout);
	for (;;) {
		ssize_t got = recv(fd, buffer, sizeof(buffer), 0);

		for (const struct nlmsghdr *head = (void *)buffer; got > 0 && NLMSG_OK(head, (size_t)got); head = NLMSG_NEXT(head, got))
			if (head->nlmsg_type == (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET))
				packet(fd, head);
	}
}
