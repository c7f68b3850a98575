/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rings of packets that have a memory error.
 *
 * A ring is memory that the program has mapped. If it cannot be seen whose turn
 * it is with a frame, then the ring ends there: nothing is received into it any
 * more, send(2) says -EFAULT, and poll(2) has EPOLLERR. Both rings of a socket end,
 * until one is set up anew.
 */
#ifndef _PACKET_BAD_RING_H
#define _PACKET_BAD_RING_H

#include <linux/hwpoison.h>
#include <linux/if_packet.h>
#include <linux/uaccess.h>
#include <net/sock.h>

#include "internal.h"

/* The end of a ring: who waits in poll(2) for something to happen is to know. */
static inline void packet_lose_ring(const struct packet_sock *const_po)
{
	struct packet_sock *po = (struct packet_sock *)const_po;

	if (!test_and_set_bit(PACKET_SOCK_RING_LOST, &po->flags))
		sk_error_report(&po->sk);
}

/**
 * packet_ring_load() - load a word of a ring
 * @po:		the socket
 * @word:	the word
 * @val:	its value, if it can be read
 *
 * Context: any.
 * Return: false if it cannot; that is the end of the ring.
 */
static inline bool packet_ring_load(const struct packet_sock *po,
				    const __u32 *word, __u32 *val)
{
	if (packet_sock_flag(po, PACKET_SOCK_RING_LOST))
		return false;
	__get_kernel_nofault(val, word, __u32, bad);

	return true;
bad:
	packet_lose_ring(po);

	return false;
}

/**
 * packet_load_long() - packet_ring_load() for the first version's status
 * @po:		the socket
 * @word:	the word
 * @val:	its value, if it can be read
 *
 * Context: any.
 * Return: false if it cannot; that is the end of the ring.
 */
static inline bool packet_load_long(const struct packet_sock *po,
				    const unsigned long *word, unsigned long *val)
{
	if (packet_sock_flag(po, PACKET_SOCK_RING_LOST))
		return false;
	__get_kernel_nofault(val, word, unsigned long, bad);

	return true;
bad:
	packet_lose_ring(po);

	return false;
}

/**
 * packet_block_status() - whose turn is it with a block?
 * @po:		the socket
 * @block:	the block
 *
 * Context: any.
 * Return: TP_STATUS_*; of a block that cannot be read, that it is not ours.
 */
static inline __u32 packet_block_status(const struct packet_sock *po,
					const struct tpacket_block_desc *block)
{
	__u32 status;

	return packet_ring_load(po, &block->hdr.bh1.block_status, &status) ?
	       status : TP_STATUS_USER;
}

/**
 * packet_block_is_bad() - is the description of a block not fit to be read?
 * @po:		the socket
 * @block:	the block
 *
 * It is at the start of a page, and shorter than a line.
 *
 * Context: any.
 * Return: true if so; that is the end of the ring.
 */
static inline bool packet_block_is_bad(const struct packet_sock *po,
				       const struct tpacket_block_desc *block)
{
	__u32 status;

	BUILD_BUG_ON(sizeof(*block) > HWPOISON_LINE);

	return !packet_ring_load(po, &block->hdr.bh1.block_status, &status);
}

/**
 * packet_add_status() - add to the status of a packet in a block
 * @hdr:	the packet
 * @status:	TP_STATUS_*
 *
 * Context: any, the block is the kernel's.
 */
static inline void packet_add_status(struct tpacket3_hdr *hdr, __u32 status)
{
	__u32 before;

	__get_kernel_nofault(&before, &hdr->tp_status, __u32, bad);
	status |= before;
bad:
	/* For the program to find out, as with the rest of the packet */
	hdr->tp_status = status;
}

/**
 * packet_copy_times() - the time of the last packet is that of its block
 * @to:		in the block
 * @hdr:	the packet
 *
 * Context: any, the block is the kernel's.
 */
static inline void packet_copy_times(struct tpacket_bd_ts *to,
				     const struct tpacket3_hdr *hdr)
{
	__u32 sec = 0, nsec = 0;

	__get_kernel_nofault(&sec, &hdr->tp_sec, __u32, bad);
	__get_kernel_nofault(&nsec, &hdr->tp_nsec, __u32, bad);
bad:
	to->ts_sec = sec;
	to->ts_nsec = nsec;
}

#endif /* _PACKET_BAD_RING_H */
