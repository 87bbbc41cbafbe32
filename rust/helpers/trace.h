/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The driver's tracepoints. Rust hands over the texts as they are shown: public keys in base64,
 * addresses as in the log. What is not known is "(none)". Texts lie in the record, with room for
 * the longest: bpftrace 0.23 reads nothing from a field that lies behind it (__string). Their sizes
 * leave no hole between fields, which would be uninitialised memory in the record.
 */

#undef TRACE_SYSTEM
#define TRACE_SYSTEM wireguard

#if !defined(_DRIVER_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _DRIVER_TRACE_H

#include <linux/netdevice.h>
#include <linux/tracepoint.h>

/* Packets or messages were dropped. */
TRACE_EVENT(wg_refusal,
	TP_PROTO(const struct net_device *dev, const char *peer, const char *reason, const char *remote, u64 count),
	TP_ARGS(dev, peer, reason, remote, count),
	TP_STRUCT__entry(
		__array(char, interface, IFNAMSIZ)
		__field(int, ifindex)
		__array(char, peer, 48)
		__array(char, reason, 32)
		__array(char, remote, 84)
		__field(u64, count)
	),
	TP_fast_assign(
		strscpy_pad(__entry->interface, dev->name);
		__entry->ifindex = dev->ifindex;
		strscpy_pad(__entry->peer, peer);
		strscpy_pad(__entry->reason, reason);
		strscpy_pad(__entry->remote, remote);
		__entry->count = count;
	),
	TP_printk("interface=%s ifindex=%d peer=%s reason=%s remote=%s count=%llu",
		  __entry->interface, __entry->ifindex, __entry->peer, __entry->reason, __entry->remote,
		  __entry->count)
);

/* A handshake with a peer has come to another state. */
TRACE_EVENT(wg_handshake,
	TP_PROTO(const struct net_device *dev, const char *peer, const char *state, const char *endpoint, u32 attempt),
	TP_ARGS(dev, peer, state, endpoint, attempt),
	TP_STRUCT__entry(
		__array(char, interface, IFNAMSIZ)
		__field(int, ifindex)
		__array(char, peer, 48)
		__array(char, state, 32)
		__array(char, endpoint, 80)
		__field(u32, attempt)
	),
	TP_fast_assign(
		strscpy_pad(__entry->interface, dev->name);
		__entry->ifindex = dev->ifindex;
		strscpy_pad(__entry->peer, peer);
		strscpy_pad(__entry->state, state);
		strscpy_pad(__entry->endpoint, endpoint);
		__entry->attempt = attempt;
	),
	TP_printk("interface=%s ifindex=%d peer=%s state=%s endpoint=%s attempt=%u",
		  __entry->interface, __entry->ifindex, __entry->peer, __entry->state, __entry->endpoint,
		  __entry->attempt)
);

/* A peer has another session, or none. */
TRACE_EVENT(wg_session,
	TP_PROTO(const struct net_device *dev, const char *peer, const char *change, const char *role, u64 keypair),
	TP_ARGS(dev, peer, change, role, keypair),
	TP_STRUCT__entry(
		__array(char, interface, IFNAMSIZ)
		__field(int, ifindex)
		__array(char, peer, 48)
		__array(char, change, 32)
		__array(char, role, 36)
		__field(u64, keypair)
	),
	TP_fast_assign(
		strscpy_pad(__entry->interface, dev->name);
		__entry->ifindex = dev->ifindex;
		strscpy_pad(__entry->peer, peer);
		strscpy_pad(__entry->change, change);
		strscpy_pad(__entry->role, role);
		__entry->keypair = keypair;
	),
	TP_printk("interface=%s ifindex=%d peer=%s change=%s role=%s keypair=%llu",
		  __entry->interface, __entry->ifindex, __entry->peer, __entry->change, __entry->role,
		  __entry->keypair)
);

/* A peer is somewhere else. */
TRACE_EVENT(wg_endpoint,
	TP_PROTO(const struct net_device *dev, const char *peer, const char *learnt, const char *old, const char *new),
	TP_ARGS(dev, peer, learnt, old, new),
	TP_STRUCT__entry(
		__array(char, interface, IFNAMSIZ)
		__field(int, ifindex)
		__array(char, peer, 48)
		__array(char, learnt, 32)
		__array(char, old, 80)
		__array(char, new, 80)
	),
	TP_fast_assign(
		strscpy_pad(__entry->interface, dev->name);
		__entry->ifindex = dev->ifindex;
		strscpy_pad(__entry->peer, peer);
		strscpy_pad(__entry->learnt, learnt);
		strscpy_pad(__entry->old, old);
		strscpy_pad(__entry->new, new);
	),
	TP_printk("interface=%s ifindex=%d peer=%s learnt=%s old=%s new=%s",
		  __entry->interface, __entry->ifindex, __entry->peer, __entry->learnt, __entry->old,
		  __entry->new)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
