/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory errors in what is about to be encrypted or decrypted.
 */
#ifndef _TLS_HWPOISON_H
#define _TLS_HWPOISON_H

#include <linux/hwpoison.h>
#include <linux/hwpoison-page.h>
#include <linux/hwpoison_kernel.h>
#include <linux/iov_iter_bad.h>
#include <linux/scatterlist.h>
#include <linux/skmsg.h>
#include <uapi/linux/tls.h>

/**
 * tls_probe_page() - can a page be encrypted?
 * @page:	the page
 * @offset:	first byte in it
 * @len:	bytes, within the page
 *
 * Context: any.
 * Return: false if it has a memory error.
 */
static inline bool __must_check tls_probe_page(struct page *page, size_t offset, size_t len)
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
static inline bool __must_check tls_probe_msg(struct sk_msg *msg, u32 first)
{
	while (first != msg->sg.end) {
		struct scatterlist *sge = sk_msg_elem(msg, first);

		if (!tls_probe_page(sg_page(sge), sge->offset, sge->length))
			return false;
		sk_msg_iter_var_next(first);
	}

	return true;
}

/**
 * tls_probe_input() - can a record that was received be decrypted?
 * @sg:		where it is
 * @nents:	number of entries
 *
 * If not, its memory is kept out of circulation.
 *
 * Context: process context, may sleep.
 * Return: 0, or -EIO.
 */
static inline int __must_check tls_probe_input(struct scatterlist *sg, int nents)
{
	struct scatterlist *s;
	int i;

	if (hwpoison_probe_sg(sg, nents))
		return 0;

	hwpoison_settle_pending();
	for_each_sg(sg, s, nents, i)
		hwpoison_keep_range(sg_page(s), s->offset, s->length);

	return -EIO;
}

/**
 * tls_probe_output() - can a record be decrypted into the reader's memory?
 * @cipher:	the cipher's number
 * @sg:		where to
 * @nents:	number of entries
 *
 * Only CCM reads what it has written.
 *
 * Context: process context, may sleep.
 * Return: 0, or -EFAULT.
 */
static inline int __must_check tls_probe_output(u16 cipher, struct scatterlist *sg,
						int nents)
{
	if (cipher != TLS_CIPHER_AES_CCM_128 && cipher != TLS_CIPHER_SM4_CCM)
		return 0;

	return hwpoison_probe_sg(sg, nents) ? 0 : -EFAULT;
}

#endif /* _TLS_HWPOISON_H */
