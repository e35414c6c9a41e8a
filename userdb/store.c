/* SPDX-License-Identifier: ISC */
#include "userdb/store.h"

#include <db.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/log.h"

enum {
	CACHE_OCTETS = 16 << 20,
	LOG_OCTETS = 4 << 20,
	CHECKPOINT_KILOBYTES = 1024,
	CHECKPOINT_MINUTES = 15,
	ROOM_OCTETS = 16 << 20
};

static const char version_key[] = "format";
/*
 * 2 added SCRAM verifiers, reversible secrets and app passwords, 3 grants and
 * limits; the rest is as it was, so that an older one becomes one of 3 when it
 * is opened.
 */
static const char version_text[] = "postrider-userdb 3\n";
static const char *const versions_before[] = {
    "postrider-userdb 2\n", "postrider-userdb 1\n"};

struct store {
	int folder; /* holds the lock */
	DB_ENV *env;
	DB *db;
	DB_TXN *txn;       /* NULL: each change by itself */
	uint32_t log_file; /* the one whose name is on the disk */
	bool broken;
};

static void
on_error(const DB_ENV *env, const char *prefix, const char *message)
{
	(void)env;
	(void)prefix;
	log_event(LEVEL_ERROR, "database error", log_text("reason", message));
}

static enum store_result
result_of(struct store *s, const char *what, int error)
{
	switch (error) {
	case 0:
		return STORE_OK;
	case DB_NOTFOUND:
	case DB_KEYEMPTY:
		return STORE_ABSENT;
	case ENOSPC:
	case EDQUOT:
		return STORE_FULL;
	default:
		log_event(LEVEL_ERROR, "database error", log_text("what", what),
		    log_text("reason", db_strerror(error)));
		if (error != DB_RUNRECOVERY)
			return STORE_FAILED;
		s->broken = true;
		return STORE_BROKEN;
	}
}

bool
store_is_broken(const struct store *s)
{
	return s->broken;
}

const char *
store_reason(enum store_result result)
{
	static const char *const reasons[] = {
	    [STORE_OK] = "done",
	    [STORE_ABSENT] = "not there",
	    [STORE_LOCKED] = "another process has the user database open",
	    [STORE_VERSION] = "the user database is of a later release",
	    [STORE_FULL] = "too little room left on the user database's disk",
	    [STORE_FAILED] = "the user database failed, the log says why",
	    [STORE_BROKEN] = "the user database needs recovery",
	};

	return reasons[result];
}

static DBT
dbt_over(struct span octets)
{
	return (DBT){.data = (void *)octets.data, .size = (uint32_t)octets.len};
}

/* -- opening -- */

static enum store_result
lock_folder(struct store *s, const char *folder)
{
	s->folder = fs_open_dir(AT_FDCWD, folder);
	if (s->folder == -1) {
		log_errno(LEVEL_ERROR, "cannot open", folder);
		return STORE_FAILED;
	}
	if (fs_lock(s->folder) == 0)
		return STORE_OK;
	if (errno == EWOULDBLOCK)
		return STORE_LOCKED;
	log_errno(LEVEL_ERROR, "cannot lock", folder);
	return STORE_FAILED;
}

static enum store_result
open_environment(struct store *s, const char *folder)
{
	/*
	 * Private: the regions are this process's own memory, so that
	 * nothing of a killed one is left to hang on.  Without locks: one
	 * thread.  The home is given and the process's environment is not
	 * looked at, so no other folder's DB_CONFIG is ever read.
	 */
	const uint32_t flags = DB_CREATE | DB_PRIVATE | DB_RECOVER |
	    DB_INIT_MPOOL | DB_INIT_LOG | DB_INIT_TXN;
	DB_ENV *env;
	int error;

	if ((error = db_env_create(&env, 0)) != 0)
		return result_of(s, "environment", error);
	s->env = env;
	env->set_errcall(env, on_error);
	if ((error = env->set_cachesize(env, 0, CACHE_OCTETS, 1)) == 0 &&
	    (error = env->set_lg_max(env, LOG_OCTETS)) == 0 &&
	    (error = env->log_set_config(env, DB_LOG_AUTO_REMOVE, 1)) == 0)
		error = env->open(env, folder, flags, 0600);
	return result_of(s, "open environment", error);
}

static enum store_result
open_table(struct store *s)
{
	DB *db;
	int error;

	if ((error = db_create(&db, s->env, 0)) != 0)
		return result_of(s, "table", error);
	s->db = db;
	error = db->open(db, NULL, "users.db", NULL, DB_BTREE,
	    DB_CREATE | DB_AUTO_COMMIT, 0600);
	return result_of(s, "open table", error);
}

static bool
is_before(const char *value, size_t n)
{
	size_t count = sizeof(versions_before) / sizeof(versions_before[0]);

	for (size_t i = 0; i < count; i++)
		if (n == strlen(versions_before[i]) &&
		    memcmp(value, versions_before[i], n) == 0)
			return true;
	return false;
}

static enum store_result
check_version(struct store *s)
{
	const struct span key = {version_key, sizeof(version_key) - 1};
	const struct span ours = {version_text, sizeof(version_text) - 1};
	char value[64];
	size_t n;
	enum store_result result;

	result = store_get(s, key, value, sizeof(value), &n);
	if (result == STORE_ABSENT ||
	    (result == STORE_OK && is_before(value, n)))
		return store_put(s, key, ours);
	if (result == STORE_OK &&
	    (n != ours.len || memcmp(value, ours.data, n) != 0)) {
		log_event(LEVEL_ERROR, "database error",
		    log_text("reason", store_reason(STORE_VERSION)));
		return STORE_VERSION;
	}
	return result;
}

struct store *
store_open(const char *folder, enum store_result *result)
{
	struct store *s = calloc(1, sizeof(*s));

	*result = STORE_FAILED;
	if (s == NULL)
		return NULL;
	s->folder = -1;
	if ((*result = lock_folder(s, folder)) == STORE_OK &&
	    (*result = open_environment(s, folder)) == STORE_OK &&
	    (*result = open_table(s)) == STORE_OK &&
	    (*result = check_version(s)) == STORE_OK)
		return s;
	store_close(s);
	return NULL;
}

void
store_close(struct store *s)
{
	if (s->txn != NULL)
		store_abort(s);
	if (s->db != NULL)
		s->db->close(s->db, 0);
	if (s->env != NULL)
		s->env->close(s->env, 0);
	if (s->folder >= 0)
		close(s->folder);
	free(s);
}

/* -- reading -- */

enum store_result
store_get(struct store *s, struct span key, char *value, size_t max, size_t *n)
{
	DBT k = dbt_over(key);
	DBT v = {.data = value, .ulen = (uint32_t)max, .flags = DB_DBT_USERMEM};
	int error = s->db->get(s->db, s->txn, &k, &v, 0);

	*n = error == 0 ? v.size : 0;
	return result_of(s, "get", error);
}

enum store_result
store_each(struct store *s, struct span from,
    bool (*found)(struct span key, struct span value, void *context),
    void *context)
{
	DBT k = {.flags = DB_DBT_REALLOC}, v = {.flags = DB_DBT_REALLOC};
	DBC *cursor;
	uint32_t how = DB_SET_RANGE;
	int error;

	if ((k.data = malloc(from.len + 1)) == NULL)
		return STORE_FAILED;
	memcpy(k.data, from.data, from.len);
	k.size = (uint32_t)from.len;
	if ((error = s->db->cursor(s->db, s->txn, &cursor, 0)) == 0) {
		while ((error = cursor->get(cursor, &k, &v, how)) == 0 &&
		    found((struct span){k.data, k.size},
			(struct span){v.data, v.size}, context))
			how = DB_NEXT;
		cursor->close(cursor);
	}
	free(k.data);
	free(v.data);
	return error == DB_NOTFOUND ? STORE_OK : result_of(s, "iterate", error);
}

/* -- writing -- */

/*
 * A write that fails for want of room leaves the environment in need of
 * recovery, and look-ups with it: so none begins when little is left.
 */
static enum store_result
check_room(struct store *s)
{
	struct statvfs room;

	if (fstatvfs(s->folder, &room) == 0 &&
	    (uint64_t)room.f_bavail * room.f_frsize < ROOM_OCTETS)
		return STORE_FULL;
	return STORE_OK;
}

/* A new log file's name must not be lost with the power. */
static enum store_result
sync_new_log(struct store *s)
{
	DB_LOG_STAT *status;
	uint32_t current;
	int error;

	if ((error = s->env->log_stat(s->env, &status, 0)) != 0)
		return result_of(s, "log", error);
	current = status->st_cur_file;
	free(status);
	if (current == s->log_file)
		return STORE_OK;
	if (fsync(s->folder) == -1)
		return result_of(s, "sync folder", errno);
	s->log_file = current;
	return STORE_OK;
}

enum store_result
store_put(struct store *s, struct span key, struct span value)
{
	DBT k = dbt_over(key), v = dbt_over(value);
	enum store_result result;

	if (s->txn == NULL && (result = check_room(s)) != STORE_OK)
		return result;
	result = result_of(s, "put", s->db->put(s->db, s->txn, &k, &v, 0));
	return result == STORE_OK && s->txn == NULL ? sync_new_log(s) : result;
}

enum store_result
store_delete(struct store *s, struct span key)
{
	DBT k = dbt_over(key);
	enum store_result result;

	if (s->txn == NULL && (result = check_room(s)) != STORE_OK)
		return result;
	result = result_of(s, "delete", s->db->del(s->db, s->txn, &k, 0));
	return result == STORE_OK && s->txn == NULL ? sync_new_log(s) : result;
}

enum store_result
store_begin(struct store *s)
{
	enum store_result result = check_room(s);

	if (result != STORE_OK)
		return result;
	return result_of(
	    s, "begin", s->env->txn_begin(s->env, NULL, &s->txn, 0));
}

enum store_result
store_commit(struct store *s, bool durable)
{
	DB_TXN *txn = s->txn;
	enum store_result result;

	s->txn = NULL;
	result = result_of(s, "commit",
	    txn->commit(txn, durable ? DB_TXN_SYNC : DB_TXN_WRITE_NOSYNC));
	return result == STORE_OK && durable ? sync_new_log(s) : result;
}

void
store_abort(struct store *s)
{
	DB_TXN *txn = s->txn;

	s->txn = NULL;
	(void)result_of(s, "abort", txn->abort(txn));
}

enum store_result
store_tend(struct store *s)
{
	return result_of(s, "checkpoint",
	    s->env->txn_checkpoint(
		s->env, CHECKPOINT_KILOBYTES, CHECKPOINT_MINUTES, 0));
}
