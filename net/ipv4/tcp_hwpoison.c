// SPDX-License-Identifier: GPL-2.0
/*
 * A memory error in data that TCP has received and acknowledged.
 */
#include <linux/skbuff_hwpoison.h>
#include <net/tcp.h>

/**
 * tcp_break_stream() - reset a connection of which a part is lost
 * @sk:		the socket
 * @copied:	bytes that the current call returns from in front of the loss
 *
 * The data was acknowledged, the peer will not send it again. Both sides have
 * to know: the reader gets -EIO, from the current call or from the next one,
 * and the peer a reset.
 *
 * Context: process context, with the socket locked.
 */
void tcp_break_stream(struct sock *sk, int copied)
{
	local_bh_disable();
	bh_lock_sock(sk);

	if (sk->sk_state != TCP_CLOSE) {
		tcp_send_active_reset(sk, SK_RST_REASON_TCP_STATE);
		tcp_done_with_error(sk, EIO);
	}

	bh_unlock_sock(sk);
	local_bh_enable();

	sk->sk_err = 0;
	/* The end of the stream was received, but the error comes before it. */
	sock_reset_flag(sk, SOCK_DONE);
	sk_break_stream(sk, copied);
	WRITE_ONCE(tcp_sk(sk)->copied_seq, tcp_sk(sk)->rcv_nxt);
}

/**
 * tcp_undo_collapse() - give up a packet that takes the data of others
 * @skb:	the packet that is being filled
 * @len:	bytes at its end that could not be copied
 * @list:	where it is queued
 *
 * What has them stays in the queue behind @skb, for the reader to find.
 *
 * Context: softirq or process context, with the socket locked.
 */
void tcp_undo_collapse(struct sk_buff *skb, unsigned int len,
		       struct sk_buff_head *list)
{
	skb_trim(skb, skb->len - len);
	if (skb->len)
		return;
	__skb_unlink(skb, list);
	__kfree_skb(skb);
}
