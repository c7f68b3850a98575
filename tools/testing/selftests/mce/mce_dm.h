/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An encrypted disk, /dev/dm-0, on another one.
 */
#ifndef MCE_DM_H
#define MCE_DM_H

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mce_lib.h"

#define CRYPT		"mce-crypt"
#define CRYPT_DEV	"/dev/dm-0"

/* One request of the device mapper's, with @params if it is for a table. */
static int dm_control(unsigned long request, size_t pages, const char *params)
{
	struct {
		struct dm_ioctl head;
		struct dm_target_spec spec;
		char params[256];
	} arg = {
		.head = {
			.version = { 4, 0, 0 },
			.data_size = sizeof(arg),
			.data_start = sizeof(arg.head),
			.target_count = !!params,
			.name = CRYPT,
		},
		.spec = {
			.length = pages * MCE_PAGE / 512,
			.target_type = "crypt",
		},
	};
	int err, fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (params)
		snprintf(arg.params, sizeof(arg.params), "%s", params);
	err = ioctl(fd, request, &arg);
	close(fd);
	return err;
}

/* Encrypt the first @pages of @dev: 0, or -1 if that cannot be had. */
static int dm_crypt_start(const char *dev, size_t pages)
{
	char params[256];

	/* Two keys, which must differ. */
	snprintf(params, sizeof(params), "aes-xts-plain64 %032x%032x 0 %s 0", 1, 2,
		 dev);
	if (dm_control(DM_DEV_CREATE, 0, NULL))
		return -1;
	return dm_control(DM_TABLE_LOAD, pages, params) ||
	       dm_control(DM_DEV_SUSPEND, 0, NULL) ? -1 : 0;
}

static void dm_crypt_stop(void)
{
	dm_control(DM_DEV_REMOVE, 0, NULL);
}

#endif /* MCE_DM_H */
