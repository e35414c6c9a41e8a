/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* memfd_create */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/config.h"
#include "tests/fuzz/fuzz.h"

/* Config files: read whole, or refused with a reason. */

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("hostname mail.example.test\ndomain example.test\n"
	      "listen smtp 0.0.0.0:25\nlisten pop3 [::1]:2110\n"),
    FUZZ_SEED("max-message-size 50M # comment\nqueue-lifetime 5d\n"
	      "relay-from 192.0.2.0/24\nrelay-from 2001:db8::/32\n"),
    FUZZ_SEED("relay-host [relay.example.test]:587\nsmtp-port 25\n"
	      "address-family ipv4\njunk folder\nminimum-uid 1000\n"),
    FUZZ_SEED("dns-server [::1]:53\nspool-dir /var/spool/x\nlog-file /x\n"),
    FUZZ_SEEDS_END,
};

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	struct config config;
	char error[CONFIG_ERROR_MAX];
	int fd = memfd_create("config", MFD_CLOEXEC);

	REQUIRE(fd != -1);
	REQUIRE(write(fd, octets, n) == (ssize_t)n);
	REQUIRE(lseek(fd, 0, SEEK_SET) == 0);
	memset(error, 'x', sizeof(error));
	if (config_load_fd(&config, fd, "fuzz", error) == 0)
		config_free(&config);
	else
		REQUIRE(memchr(error, '\0', sizeof(error)) != NULL);
	close(fd);
	return 0;
}
