/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory errors in what is about to be encrypted.
 */
#ifndef _TLS_HWPOISON_H
#define _TLS_HWPOISON_H

#include <linux/hwpoison.h>
#include <linux/iov_iter_bad.h>
#include <linux/skmsg.h>

/**
 * tls_probe_page() - can a page be encrypted?
 * @page:	the page
 * @offset:	first byte in it
 * @len:	bytes, within the page
 *
 * Context: any.
 * Return: false if it has a memory error.
 */
static inline bool tls_probe_page(struct page *page, size_t offset, size_t len)
{
	return !IS_ENABLED(CONFIG_MEMORY_FAILURE) ||
	       iov_iter_probe_page(page, offset, len);
}

/**
 * tls_probe_msg() - can what was added to a message be encrypted?
 * @msg:	the message
 * @first:	the first element that was added, up to its last
 *
 * Context: any.
 * Return: false if it has a memory error.
 */
static inline bool tls_probe_msg(struct sk_msg *msg, u32 first)
{
	while (first != msg->sg.end) {
		struct scatterlist *sge = sk_msg_elem(msg, first);

		if (!tls_probe_page(sg_page(sge), sge->offset, sge->length))
			return false;
		sk_msg_iter_var_next(first);
	}

	return true;
}

#endif /* _TLS_HWPOISON_H */
