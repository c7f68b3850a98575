/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets with a memory error in their data, see net/core/skb_hwpoison.c.
 */
#ifndef _LINUX_SKBUFF_HWPOISON_H
#define _LINUX_SKBUFF_HWPOISON_H

#include <linux/errno.h>

struct sk_buff;
struct sk_buff_head;
struct sock;

#ifdef CONFIG_MEMORY_FAILURE

int skb_copy_error(const struct sk_buff *skb);
void sk_break_stream(struct sock *sk, int copied);
void tcp_break_stream(struct sock *sk, int copied);
void tcp_undo_collapse(struct sk_buff *skb, unsigned int len,
		       struct sk_buff_head *list);

#else /* !CONFIG_MEMORY_FAILURE */

static inline int skb_copy_error(const struct sk_buff *skb)
{
	return -EFAULT;
}

static inline void sk_break_stream(struct sock *sk, int copied)
{
}

static inline void tcp_break_stream(struct sock *sk, int copied)
{
}

static inline void tcp_undo_collapse(struct sk_buff *skb, unsigned int len,
				     struct sk_buff_head *list)
{
}

#endif /* CONFIG_MEMORY_FAILURE */
#endif /* _LINUX_SKBUFF_HWPOISON_H */
