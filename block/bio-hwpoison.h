/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writes that fail because their memory has an error.
 */
#ifndef _BLOCK_BIO_HWPOISON_H
#define _BLOCK_BIO_HWPOISON_H

#include <linux/bio.h>

#if defined(CONFIG_MEMORY_FAILURE) && defined(CONFIG_X86_64)
bool bio_hwpoison_endio(struct bio *bio);
#else
static inline bool bio_hwpoison_endio(struct bio *bio)
{
	return false;
}
#endif

#endif /* _BLOCK_BIO_HWPOISON_H */
