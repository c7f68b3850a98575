/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets with a memory error in their data, see net/core/skb_hwpoison.c.
 */
#ifndef _LINUX_SKBUFF_HWPOISON_H
#define _LINUX_SKBUFF_HWPOISON_H

#include <linux/errno.h>
#include <linux/types.h>

struct sk_buff;
struct sk_buff_head;
struct sock;

#ifdef CONFIG_MEMORY_FAILURE

int __must_check skb_copy_error(const struct sk_buff *skb);
void skb_keep_bad(const struct sk_buff *skb);
void sk_break_stream(struct sock *sk, int copied);
void tcp_break_stream(struct sock *sk, int copied);
void tcp_undo_collapse(struct sk_buff *skb, unsigned int len,
		       struct sk_buff_head *list);

#else /* !CONFIG_MEMORY_FAILURE */

static inline int __must_check skb_copy_error(const struct sk_buff *skb)
{
	return -EFAULT;
}

static inline void skb_keep_bad(const struct sk_buff *skb)
{
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

/**
 * csum_copy_failed() - did a copy with a checksum meet a memory error?
 * @csum:	what csum_partial_copy_nocheck() or skb_copy_and_csum_bits() said,
 *		for a length that is not 0
 *
 * Where csum_partial_copy_nocheck() recovers, it returns 0 for that and for
 * nothing else: it starts with all ones, and a sum with end-around carry does
 * not become 0 again. Its destination was not written to the end then. That of
 * skb_copy_and_csum_bits() is all zeroes.
 *
 * Context: any.
 * Return: true if it did; always false where nothing recovers.
 */
static inline bool __must_check csum_copy_failed(__wsum csum)
{
	return IS_ENABLED(CONFIG_MEMORY_FAILURE) && IS_ENABLED(CONFIG_X86_64) &&
	       !IS_ENABLED(CONFIG_GENERIC_CSUM) && !csum;
}

#endif /* _LINUX_SKBUFF_HWPOISON_H */
