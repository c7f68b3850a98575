// SPDX-License-Identifier: GPL-2.0
/*
 * Packets with a memory error in their data.
 *
 * Whoever copies the data to its reader gets an error. The packet is useless,
 * and is dropped like one with a bad checksum. Its memory must not come back:
 * its pages are kept here, objects of a slab by the slab, mm/hwpoison-slab.c.
 */
#include <linux/export.h>
#include <linux/hwpoison.h>
#include <linux/hwpoison_kernel.h>
#include <linux/mm.h>
#include <linux/skbuff.h>
#include <linux/skbuff_hwpoison.h>
#include <net/sock.h>

static bool keep_head(struct sk_buff *skb)
{
	unsigned char *p = PTR_ALIGN_DOWN(skb->head, PAGE_SIZE);
	bool bad = false;

	for (; p < skb_end_pointer(skb); p += PAGE_SIZE) {
		/* netlink has large ones in vmalloc space */
		bad |= hwpoison_keep_range(is_vmalloc_addr(p) ?
					   vmalloc_to_page(p) : virt_to_page(p),
					   0, PAGE_SIZE);
	}

	return bad;
}

static bool keep_bad(struct sk_buff *skb)
{
	bool bad = keep_head(skb);
	struct sk_buff *frag_iter;
	int i;

	for (i = 0; skb_frags_readable(skb) && i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		bad |= hwpoison_keep_range(skb_frag_page(frag),
					   skb_frag_off(frag),
					   skb_frag_size(frag));
	}
	skb_walk_frags(skb, frag_iter)
		bad |= keep_bad(frag_iter);

	return bad;
}

/**
 * skb_copy_error() - why did a copy of a packet's data come up short?
 * @skb:	the packet
 *
 * If a memory error was the reason, its page is marked, and the memory of @skb
 * is kept out of circulation from when it is freed.
 *
 * Context: any that may copy to user memory.
 * Return: -EIO for a memory error, else -EFAULT.
 */
int skb_copy_error(const struct sk_buff *skb)
{
	hwpoison_settle_pending();

	return keep_bad((struct sk_buff *)skb) ? -EIO : -EFAULT;
}
EXPORT_SYMBOL(skb_copy_error);

/**
 * skb_keep_bad() - a packet is dropped because its checksum could not be made
 * @skb:	the packet
 *
 * If a memory error was the reason, keeps its memory out of circulation.
 *
 * Context: as for skb_copy_error().
 */
void skb_keep_bad(const struct sk_buff *skb)
{
	if (hwpoison_pending() && skb_copy_error(skb))
		return;
}
EXPORT_SYMBOL(skb_keep_bad);

/**
 * sk_break_stream() - a part of a stream is lost
 * @sk:		the receiving socket, locked against other readers
 * @copied:	bytes that the current call returns from in front of the loss
 *
 * Drops all that was received. The reader is told by the current call, or by
 * the next one if this has something to return.
 *
 * Context: process context.
 */
void sk_break_stream(struct sock *sk, int copied)
{
	skb_queue_purge(&sk->sk_receive_queue);
	if (copied)
		WRITE_ONCE(sk->sk_err, EIO);
}
EXPORT_SYMBOL_GPL(sk_break_stream);
