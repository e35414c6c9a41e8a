/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* memfd_create, F_ADD_SEALS */
#include "keys/chain_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/fs.h"

static BIO *
write_chain(STACK_OF(X509) *chain)
{
	BIO *bio = BIO_new(BIO_s_mem());

	for (int i = 0; bio != NULL && i < sk_X509_num(chain); i++)
		if (PEM_write_bio_X509(bio, sk_X509_value(chain, i)) != 1) {
			BIO_free(bio);
			return NULL;
		}
	return bio;
}

static int
seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS,
	    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
}

int
chain_file_make(STACK_OF(X509) *chain)
{
	BIO *bio = write_chain(chain);
	int fd, saved;
	char *text;
	long n;

	if (bio == NULL) {
		errno = ENOMEM;
		return -1;
	}
	n = BIO_get_mem_data(bio, &text);
	fd = memfd_create("certificate", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd >= 0 &&
	    (fs_write_all(fd, text, (size_t)n) == -1 || seal(fd) == -1)) {
		saved = errno;
		close(fd);
		errno = saved;
		fd = -1;
	}
	saved = errno;
	BIO_free(bio);
	errno = saved;
	return fd;
}
